#include "guest/click/script.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include "guest/click/compute.hpp"
#include "guest/click/text/expand.hpp"

namespace unibpf::click {
namespace {

constexpr std::uint32_t most_jumps = 1'000'000;  // without a wait between: an endless loop

struct OpRow {
    std::string_view name;
    ScriptOp op;
    bool quiet = false;
    bool newline = true;
};
constexpr OpRow op_rows[] = {
    {"set", ScriptOp::set},
    {"setq", ScriptOp::set, true},
    {"init", ScriptOp::init},
    {"initq", ScriptOp::init, true},
    {"export", ScriptOp::exports},
    {"exportq", ScriptOp::exports, true},
    {"print", ScriptOp::print},
    {"printq", ScriptOp::print, true},
    {"printn", ScriptOp::print, false, false},
    {"printnq", ScriptOp::print, true, false},
    {"printqn", ScriptOp::print, true, false},
    {"read", ScriptOp::read},
    {"readq", ScriptOp::read, true},
    {"write", ScriptOp::write},
    {"writeq", ScriptOp::write, true},
    {"wait", ScriptOp::wait},
    {"wait_for", ScriptOp::wait_time},
    {"wait_time", ScriptOp::wait_time},
    {"wait_step", ScriptOp::wait_step},
    {"wait_stop", ScriptOp::wait_stop},
    {"pause", ScriptOp::wait_step},
    {"stop", ScriptOp::stop},
    {"end", ScriptOp::end},
    {"exit", ScriptOp::exit},
    {"loop", ScriptOp::loop},
    {"label", ScriptOp::label},
    {"goto", ScriptOp::go_to},
    {"return", ScriptOp::returns},
    {"returnq", ScriptOp::returns, true},
    {"error", ScriptOp::error},
    {"errorq", ScriptOp::error, true},
    {"save", ScriptOp::save},
    {"append", ScriptOp::append},
};

bool is_handler_name(std::string_view text) {
    const char c = text.empty() ? '\0' : text[0];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@';
}

void write_text(const std::string& file, bool append, const std::string& text, Answer& answer) {
    const bool standard = file.empty() || file == "-";
    std::FILE* stream = standard ? stdout : std::fopen(file.c_str(), append ? "ab" : "wb");
    if (!stream) {
        answer = {false, file + ": cannot be opened"};
        return;
    }
    std::fwrite(text.data(), 1, text.size(), stream);
    if (standard) std::fflush(stream);
    else std::fclose(stream);
}

Owned<Element> create_script() { return make<Script>(); }

}  // namespace

const ElementClass Script::class_row{
    "Script", "-/-", "a/a", "[TYPE,] INSTRUCTION, ...", "does what its arguments say, one after the other", {}, {}, create_script};
const ElementClass Script::manager_row{
    "DriverManager", "0/0", "a/a", "INSTRUCTION, ...", "says what happens when the driver stops", {}, {}, create_script};

Script* Script::of(Element* element) {
    const bool script = element && (&element->element_class() == &class_row || &element->element_class() == &manager_row);
    return script ? static_cast<Script*>(element) : nullptr;
}

bool Script::read_type(std::string_view name, Args& args) {
    constexpr std::pair<std::string_view, Type> types[] = {{"ACTIVE", Type::active}, {"PASSIVE", Type::passive}, {"DRIVER", Type::driver}, {"PACKET", Type::packet}, {"SIGNAL", Type::signal}, {"PROXY", Type::proxy}};
    std::string_view rest = name;
    const std::string_view first = take_word(rest);
    for (const auto& [known, type] : types)
        if (known == first && (type == Type::signal ? read_signals(rest) : rest.empty())) return type_ = type, true;
    args.error("got TYPE `", name, "`, expected ACTIVE, PASSIVE, DRIVER, PACKET, SIGNAL or PROXY");
    return false;
}

// Names or numbers of signals; false when one is none, or there is none.
bool Script::read_signals(std::string_view names) {
    constexpr std::pair<std::string_view, int> known[] = {{"INT", SIGINT}, {"TERM", SIGTERM}, {"HUP", SIGHUP}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
    for (const std::string& word : words_of(names)) {
        const auto found = std::find_if(std::begin(known), std::end(known), [&](const auto& row) {
            return row.first == word || "SIG" + std::string{row.first} == word || std::to_string(row.second) == word;
        });
        if (found == std::end(known)) return false;
        signals_.push_back(found->second);
        driver_->catch_signal(found->second);
    }
    return !signals_.empty();
}

bool Script::signalled(int number) {
    if (std::count(signals_.begin(), signals_.end(), number) == 0) return false;
    run_with({});
    return true;
}

void Script::configure(Args& args) {
    driver_ = &the_driver();
    if (&element_class() == &manager_row) type_ = Type::driver;
    std::string_view type;
    if (args.keyword("TYPE", type)) read_type(type, args);
    while (const Arg* arg = args.next()) parse(*arg, args);
    if (type_ == Type::driver && instructions_.empty()) instructions_.push_back({ScriptOp::wait_stop, false, true, ""});
}

void Script::parse(const Arg& arg, Args& args) {
    std::string_view text = arg.raw;
    const std::string_view word = take_word(text);
    if (word.empty()) return;
    for (const OpRow& row : op_rows) {
        if (row.name != word) continue;
        ScriptOp op = row.op;
        if (op == ScriptOp::wait) op = !text.empty() ? ScriptOp::wait_time : manages_driver() ? ScriptOp::wait_stop
                                                                                              : ScriptOp::wait_step;
        if (word == "pause" && manages_driver()) op = ScriptOp::wait_stop;
        instructions_.push_back({op, row.quiet, row.newline, std::string{text}});
        return;
    }
    args.errors().add(arg.place, "`", name(), "`: unknown instruction `", word, "`");
}

void Script::initialize(Environment&, Errors& errors) {
    if (!router().timers().add(timer_, *this)) errors.add(place(), "`", name(), "`: no memory for a timer");
    driver_->add_script(*this);
}

void Script::begin() {
    if (type_ != Type::active && type_ != Type::driver) return;
    running_ = true;
    execute();
}

// --- running ---------------------------------------------------------------------------------------------------------

void Script::execute() {
    jumps_ = 0;
    const NameInfo::Use names{router().names(), name()};
    while (running_ && at_ < instructions_.size()) {
        jumped_ = false;
        if (!step(instructions_[at_])) return;
        if (!jumped_) ++at_;
    }
    if (running_) finish();
}

// The end of a script that manages the driver is the end of the run.
void Script::finish() {
    running_ = false;
    at_ = instructions_.size();
    if (manages_driver()) driver_->stop(*this);
}

// Of a handler: the script goes on.
void Script::complain(std::string_view text) { driver_->complain(this, text, false); }

bool Script::fail(std::string_view text) {
    driver_->complain(this, text);
    running_ = false;
    failed_ = true;
    if (manages_driver()) driver_->stop(*this);
    return false;
}

bool Script::step(const Instruction& instruction) {
    switch (instruction.op) {
        case ScriptOp::set:
        case ScriptOp::init: assign(instruction); return true;
        case ScriptOp::exports:
            assign(instruction);
            exported_.push_back(instruction.text.substr(0, instruction.text.find(' ')));
            return true;
        case ScriptOp::print: print(instruction); return running_;
        case ScriptOp::read:
        case ScriptOp::write: call(instruction); return running_;
        case ScriptOp::save:
        case ScriptOp::append: save(instruction); return running_;
        case ScriptOp::wait:
        case ScriptOp::wait_step: return wait_step(instruction.text, false);
        case ScriptOp::wait_stop: return wait_step(instruction.text, true);
        case ScriptOp::wait_time: return wait_time(instruction.text);
        case ScriptOp::label: return true;
        case ScriptOp::loop: return go_to("begin");
        case ScriptOp::go_to: return go_to(instruction.text);
        case ScriptOp::returns: result_ = value(instruction); [[fallthrough]];
        case ScriptOp::end:
        case ScriptOp::exit: finish(); return false;
        case ScriptOp::stop:
            running_ = false;
            at_ = instructions_.size();
            driver_->stop(*this);
            return false;
        case ScriptOp::error: return fail(value(instruction));
    }
    return true;
}

bool Script::wait_step(const std::string& text, bool stops) {
    std::uint32_t count = 1;
    const std::string word = unquoted_text(expand(text, true));
    if (!word.empty() && !read_word(word, count)) return fail("expected a number of steps, got `" + word + "`");
    if (count == 0) return true;
    waits_ = count;
    waiting_ = stops ? ScriptOp::wait_stop : ScriptOp::wait_step;
    return false;
}

bool Script::wait_time(const std::string& text) {
    Duration time;
    const std::string word = unquoted_text(expand(text, true));
    if (!read_word(word, time)) return fail("expected a time, got `" + word + "`");
    waiting_ = ScriptOp::wait_time;
    timer_.schedule_at(driver_->now_ns() + time.ns);
    return false;
}

bool Script::go_to(const std::string& text) {
    std::string_view rest = text;
    const std::string label{take_word(rest)};
    if (!rest.empty()) {
        bool truth = false;
        const std::string word = unquoted_text(expand(rest, true));
        if (!read_word(word, truth)) return fail("expected a condition, got `" + word + "`");
        if (!truth) return true;
    }
    if (++jumps_ > most_jumps) return fail("too many jumps without a wait");
    for (std::size_t i = 0; i < instructions_.size(); ++i) {
        if (instructions_[i].op != ScriptOp::label || instructions_[i].text != label) continue;
        return at_ = i, jumped_ = true;
    }
    if (label == "begin" || label == "loop") return at_ = 0, jumped_ = true;
    if (label == "stop") return running_ = false, driver_->stop(*this), false;
    if (label == "end" || label == "exit") return finish(), false;
    if (label == "error") return fail("goto error");
    return fail("no label `" + label + "`");
}

void Script::run_timer(Timer&) {
    if (!running_ || waiting_ != ScriptOp::wait_time) return;
    waiting_ = ScriptOp::end;
    ++at_;
    execute();
}

bool Script::driver_stopped() {
    if (!running_) return false;
    if (waiting_ == ScriptOp::wait_step || waiting_ == ScriptOp::wait_stop) {
        if (--waits_ > 0) return true;
    } else {
        timer_.cancel();
    }
    waiting_ = ScriptOp::end;
    ++at_;
    execute();
    return running_;
}

void Script::push(unsigned, Batch&& batch) {
    while (!batch.empty()) {
        PacketPtr packet = batch.pop_front();
        if (type_ == Type::packet) run_with({});
        unsigned port = 0;
        if (!result_.empty()) {
            std::int32_t number = 0;
            bool truth = false;
            if (read_word(result_, number)) port = static_cast<unsigned>(number);
            else if (read_word(result_, truth)) port = truth ? 0 : outputs();
        }
        if (port >= outputs() || !output(port).connected()) continue;
        Batch one;
        one.push_back(std::move(packet));
        output(port).push(std::move(one));
    }
}

// --- instructions ----------------------------------------------------------------------------------------------------

void Script::assign(const Instruction& instruction) {
    std::string_view rest = instruction.text;
    const std::string variable{take_word(rest)};
    variables_[variable] = value({instruction.op, instruction.quiet, true, std::string{rest}});
}

void Script::print(const Instruction& instruction) {
    std::string_view rest = instruction.text;
    std::string file;
    bool append = false;
    if (rest.starts_with('>')) {
        append = rest.starts_with(">>");
        rest = slice(rest, append ? 2 : 1);
        file = unquoted_text(expand(take_word(rest), true));
    }
    Answer answer;
    if (is_handler_name(rest)) {
        Answer own;
        const std::string call = instruction.quiet ? std::string{rest} : expand(rest, true);
        std::string_view arguments = call;
        const std::string name{take_word(arguments)};
        const bool local = name.find('.') == std::string::npos && read_own(name, arguments, own);
        answer = local ? own : call_read(*driver_, this, call);
    } else {
        answer.text = value({instruction.op, instruction.quiet, true, std::string{rest}});
    }
    if (answer.ok) {
        if (instruction.newline && !answer.text.ends_with('\n')) answer.text += '\n';
        write_text(file, append, answer.text, answer);
    }
    if (!answer.ok) complain(answer.text);
}

void Script::call(const Instruction& instruction) {
    const std::string text = instruction.quiet ? instruction.text : expand(instruction.text, true);
    if (instruction.op == ScriptOp::write) {
        const Answer answer = call_write(*driver_, this, text);
        result_ = answer.ok ? "0" : "1";
        if (!answer.ok) complain(answer.text);
        return;
    }
    const Answer answer = call_read(*driver_, this, text);
    if (!answer.ok) return complain(answer.text);
    std::string_view rest = text;
    std::fprintf(stderr, "%s:\n%s\n", std::string{take_word(rest)}.c_str(), answer.text.c_str());
}

void Script::save(const Instruction& instruction) {
    std::string_view rest = instruction.text;
    const std::string handler = unquoted_text(expand(take_word(rest), true));
    const std::string file = unquoted_text(expand(rest, true));
    Answer answer = call_read(*driver_, this, handler);
    if (answer.ok) write_text(file, instruction.op == ScriptOp::append, answer.text, answer);
    if (!answer.ok) complain(answer.text);
}

// --- texts -----------------------------------------------------------------------------------------------------------

std::optional<std::string> Script::variable(const std::string& name) const {
    if (const auto found = variables_.find(name); found != variables_.end()) return found->second;
    const std::vector<std::string> words = words_of(arguments_);
    if (name == "args" || name == "*" || name == "@") return arguments_;
    if (name == "#") return std::to_string(words.size());
    if (name == "?") return result_;
    if (name == "0") return std::string{this->name()};
    std::uint32_t number = 0;
    if (!name.empty() && name[0] >= '0' && name[0] <= '9' && read_word(name, number))
        return number >= 1 && number <= words.size() ? words[number - 1] : std::string{};
    return std::nullopt;
}

std::string Script::expand(std::string_view text, bool quote) {
    return expanded(text, quote, [this](std::string_view inside, bool call) -> std::optional<std::string> {
        if (!call) return variable(std::string{inside});
        const std::string whole = expand(inside, true);
        std::string_view arguments = whole;
        const std::string name{take_word(arguments)};
        Answer answer;
        const bool own = name.find('.') == std::string::npos && read_own(name, arguments, answer);
        if (!own) answer = call_read(*driver_, this, whole);
        if (!answer.ok) complain(answer.text);
        return answer.ok ? answer.text : "";
    });
}

std::string Script::value(const Instruction& instruction) {
    if (instruction.quiet) return instruction.text;
    return unquoted_text(expand(instruction.text, true));
}

// --- handlers --------------------------------------------------------------------------------------------------------

// One call of a passive script: from its beginning, to its end or first wait.
Answer Script::run_with(std::string_view arguments) {
    const std::string before = std::exchange(arguments_, std::string{arguments});
    failed_ = false;
    result_.clear();
    at_ = 0;
    running_ = true;
    timer_.cancel();
    execute();
    arguments_ = before;
    return {!failed_, failed_ ? "script " + std::string{name()} + " failed" : result_};
}

Answer Script::run_as_proxy(std::string_view handler, std::string_view arguments, bool write) {
    variables_["0"] = handler;
    variables_["write"] = write ? "true" : "false";
    return run_with(arguments);
}

bool Script::read_own(std::string_view handler, std::string_view argument, Answer& answer) {
    const std::string text{argument};
    if (std::count(exported_.begin(), exported_.end(), handler) > 0) return answer.text = variables_[std::string{handler}], true;
    if (handler == "run" || handler == "step") return answer = run_with(text), true;
    if (handler == "get") {
        const auto found = variable(unquoted_text(text));
        answer = found ? Answer{true, *found} : Answer{false, "no variable `" + text + "`"};
        return true;
    }
    if (compute(*driver_, handler, text, answer)) return true;
    return type_ == Type::proxy && (answer = run_as_proxy(handler, text, false), true);
}

bool Script::write_own(std::string_view handler, std::string_view value, Answer& answer) {
    std::string_view rest = value;
    if (handler == "run") return answer = run_with(value), answer.text.clear(), true;
    if (handler == "set") {
        const std::string variable{take_word(rest)};
        return variables_[variable] = unquoted_text(rest), true;
    }
    if (handler == "goto") return at_ = 0, running_ = true, go_to(std::string{value}), true;
    if (handler != "step") return type_ == Type::proxy && (answer = run_as_proxy(handler, value, true), true);
    std::uint32_t count = 1;
    if (!value.empty() && !read_word(value, count)) return answer = {false, "step: expected a number"}, true;
    if (!running_) return answer = run_with({}), true;
    for (; count > 0 && running_; --count) {
        if (waiting_ == ScriptOp::wait_time) timer_.cancel();
        else if (--waits_ > 0) continue;
        waiting_ = ScriptOp::end;
        ++at_;
        execute();
    }
    return true;
}

}  // namespace unibpf::click
