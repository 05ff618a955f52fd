// Script and DriverManager: instructions that read and write handlers while the graph runs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guest/click/handlers.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf::click {

enum class ScriptOp : std::uint8_t {
    set,
    init,
    exports,
    print,
    read,
    write,
    wait,
    wait_time,
    wait_step,
    wait_stop,
    stop,
    end,
    exit,
    loop,
    label,
    go_to,
    returns,
    error,
    save,
    append,
};

// Script - does what its arguments say, one after the other
//
//   Script([TYPE ACTIVE|PASSIVE|DRIVER|PACKET|SIGNAL NAME ...|PROXY,] INSTRUCTION, ...)
//
// It runs at once (ACTIVE), when its `run` handler is called (PASSIVE), at once and again when the driver stops (DRIVER), for each
// packet, which leaves by the output that it returns (PACKET), for each signal INT, TERM, HUP, USR1 or USR2 that the process gets
// (SIGNAL), or for each handler of it that it does not have itself, $0 being its name and $write whether it is written (PROXY).
// Instructions: set VAR TEXT, init VAR TEXT, export VAR, print [>FILE] TEXT|HANDLER, printn, read HANDLER, write HANDLER VALUE,
// wait [TIME], wait_step [N], wait_stop [N], pause, stop, end, exit, loop, label NAME, goto NAME [CONDITION], return TEXT,
// error TEXT, save HANDLER FILE, append HANDLER FILE. A `q` at the end of set, init, print, printn, return, error, read and write
// leaves their text as it stands. TEXT may name $VAR and $(HANDLER ARGUMENTS); handlers of a script compute: add, sub, mul, div, idiv, mod,
// rem, neg, abs, min, max, eq, ne, lt, le, gt, ge, and, or, not, if, in, first, rest, length, sprintf, now, random, cat,
// readable, writable.
class Script : public Element {
  public:
    static const ElementClass class_row;
    static const ElementClass manager_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void run_timer(Timer& timer) override;
    void push(unsigned port, Batch&& batch) override;

    // Null when the element is no script.
    static Script* of(Element* element);

    void begin();
    bool manages_driver() const { return type_ == Type::driver; }
    // A signal of that number has come; whether the script is for it.
    bool signalled(int number);
    // As many stops as it takes have come; returns whether the driver goes on.
    bool driver_stopped();

    // Handlers that depend on the script's text and variables. False: there is none of that name.
    bool read_own(std::string_view handler, std::string_view argument, Answer& answer);
    bool write_own(std::string_view handler, std::string_view value, Answer& answer);

  private:
    friend class Expander;
    enum class Type : std::uint8_t {
        active,
        passive,
        driver,
        packet,
        signal,
        proxy
    };
    struct Instruction {
        ScriptOp op;
        bool quiet = false;    // text as it stands
        bool newline = true;   // of print
        std::string text;
    };

    bool read_type(std::string_view name, Args& args);
    bool read_signals(std::string_view names);
    void parse(const Arg& arg, Args& args);
    void execute();
    // False: the script waits or has ended.
    bool step(const Instruction& instruction);
    bool wait_step(const std::string& text, bool stops);
    bool wait_time(const std::string& text);
    bool go_to(const std::string& text);
    void assign(const Instruction& instruction);
    void print(const Instruction& instruction);
    void save(const Instruction& instruction);
    void call(const Instruction& instruction);
    void finish();
    void complain(std::string_view text);
    bool fail(std::string_view text);

    std::string expand(std::string_view text, bool quote);
    // Expanded and unquoted, or as it stands.
    std::string value(const Instruction& instruction);
    std::optional<std::string> variable(const std::string& name) const;
    Answer run_with(std::string_view arguments);
    Answer run_as_proxy(std::string_view handler, std::string_view arguments, bool write);

    std::vector<Instruction> instructions_;
    std::map<std::string, std::string> variables_;
    std::vector<std::string> exported_;
    std::string arguments_;
    std::string result_;
    std::size_t at_ = 0;
    std::uint32_t waits_ = 0;   // steps or stops still to come before the instruction at `at_` is done
    std::uint32_t jumps_ = 0;   // since the script waited last
    ScriptOp waiting_ = ScriptOp::end;
    Type type_ = Type::active;
    std::vector<int> signals_;
    bool running_ = false;
    bool jumped_ = false;
    bool failed_ = false;
    Timer timer_;
    Driver* driver_ = nullptr;
};

}  // namespace unibpf::click
