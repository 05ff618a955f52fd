#include "guest/click/options.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

namespace unibpf::click {
namespace {

constexpr const char* help_text =
    "Usage: click [OPTION]... [FILE] [NAME=VALUE]...\n"
    "Builds the graph in FILE (standard input when there is none) and runs it until it stops.\n"
    "\n"
    "  -e, --expression EXPR    the graph itself, instead of a file\n"
    "  -f, --file FILE          the same as FILE\n"
    "  -h, --handler HANDLER    read ELEMENT.HANDLER after the run and print its value; may be repeated\n"
    "  -x, --exit-handler H     exit with the value of handler H\n"
    "  -o, --output FILE        write the graph, flat, to FILE\n"
    "  -q, --quit               build the graph and do not run it\n"
    "      --nic NAME=IN,OUT    a NIC for FromDevice and ToDevice: pcap files of what arrives and of what is sent; simulated time\n"
    "      --simtime[=SECONDS]  simulated time, which jumps over what is only waiting\n"
    "      --counters           print what went through each element and was dropped there, tabs between\n"
    "  -t, --time               print what the run took\n"
    "      --version            print the version\n"
    "      --help               print this\n"
    "  NAME=VALUE               what $NAME stands for in the graph\n";

enum class Want {
    nothing,
    expression,
    file,
    handler,
    exit_handler,
    output,
    nic,
    ignored
};

struct Row {
    std::string_view letter;
    std::string_view word;
    Want want;
    void (*flag)(Options& options);
};
constexpr Row rows[] = {
    {"-e", "--expression", Want::expression, nullptr},
    {"-f", "--file", Want::file, nullptr},
    {"-h", "--handler", Want::handler, nullptr},
    {"-x", "--exit-handler", Want::exit_handler, nullptr},
    {"-o", "--output", Want::output, nullptr},
    {"", "--nic", Want::nic, nullptr},
    {"-p", "--port", Want::ignored, nullptr},
    {"-u", "--unix-socket", Want::ignored, nullptr},
    {"-j", "--threads", Want::ignored, nullptr},
    {"-C", "--clickpath", Want::ignored, nullptr},
    {"-q", "--quit", Want::nothing, [](Options& options) { options.quit = true; }},
    {"-t", "--time", Want::nothing, [](Options& options) { options.time = true; }},
    {"-w", "--no-warnings", Want::nothing, [](Options&) {}},
    {"", "--warnings", Want::nothing, [](Options&) {}},
    {"-R", "--allow-reconfigure", Want::nothing, [](Options&) {}},
    {"-k", "--kernel", Want::nothing, [](Options&) {}},
    {"", "--counters", Want::nothing, [](Options& options) { options.counters = true; }},
    {"", "--simtime", Want::nothing, [](Options& options) { options.driver.simulated = true; }},
    {"", "--simulation-time", Want::nothing, [](Options& options) { options.driver.simulated = true; }},
};

bool is_name(std::string_view text) {
    for (char c : text)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
    return !text.empty();
}

bool fail(std::string_view what, std::string_view literal, int& status) {
    std::fprintf(stderr, "click: %.*s '%.*s'\nTry 'click --help' for more information.\n", static_cast<int>(what.size()), what.data(),
                 static_cast<int>(literal.size()), literal.data());
    status = 1;
    return false;
}

std::string from_stream(std::istream& stream) { return {std::istreambuf_iterator<char>{stream}, {}}; }

class Parser {
  public:
    Parser(Options& options, int& status) : options_{options}, status_{status} {}

    bool parse(int argc, char** argv) {
        for (int i = 1; i < argc; ++i)
            if (!argument(argv[i], i + 1 < argc ? argv[i + 1] : nullptr, i)) return false;
        return read_graph();
    }

  private:
    bool argument(std::string_view word, const char* next, int& i) {
        if (word == "--help") return std::fputs(help_text, stdout), status_ = 0, false;
        if (word == "--version" || word == "-v") return std::puts("click (UniBPF) 2.1"), status_ = 0, false;
        if (word == "-" || word == "--" || !word.starts_with('-')) return positional(word);
        if (word.starts_with("--")) return long_option(word, next, i);
        return letters(word, next, i);
    }

    bool long_option(std::string_view word, const char* next, int& i) {
        const std::size_t equals = word.find('=');
        const std::string_view name = slice(word, 0, equals);
        const bool given = equals != std::string_view::npos;
        for (const Row& row : rows) {
            if (row.word != name) continue;
            if (row.want == Want::nothing) {
                row.flag(options_);
                if (given && options_.driver.simulated) options_.driver.simulated_start = std::strtod(word.data() + equals + 1, nullptr);
                return true;
            }
            if (given) return take(row.want, slice(word, equals + 1));
            if (!next) return fail("option needs an argument:", word, status_);
            return ++i, take(row.want, next);
        }
        return fail("unrecognized option", word, status_);
    }

    // `-qe EXPR`, `-hc.count`
    bool letters(std::string_view word, const char* next, int& i) {
        for (std::size_t at = 1; at < word.size(); ++at) {
            const Row* found = nullptr;
            for (const Row& row : rows)
                if (!row.letter.empty() && row.letter[1] == word[at]) found = &row;
            if (!found) return fail("unrecognized option", "-" + std::string{word[at]}, status_);
            if (found->want == Want::nothing) {
                found->flag(options_);
                continue;
            }
            if (at + 1 < word.size()) return take(found->want, slice(word, at + 1));
            if (!next) return fail("option needs an argument:", word, status_);
            return ++i, take(found->want, next);
        }
        return true;
    }

    bool take(Want want, std::string_view value) {
        switch (want) {
            case Want::expression: return expression(value);
            case Want::file: return file(value);
            case Want::handler: return options_.handlers.emplace_back(value), true;
            case Want::exit_handler: return options_.exit_handler = value, true;
            case Want::output: return options_.output = value, true;
            case Want::nic: return options_.driver.nics.emplace_back(value), true;
            default: return true;
        }
    }

    bool expression(std::string_view text) {
        if (file_ || expression_) return fail("a graph was given already, got", text, status_);
        expression_ = std::string{text};
        return true;
    }

    bool file(std::string_view name) {
        if (file_ || expression_) return fail("a graph was given already, got", name, status_);
        file_ = std::string{name};
        return true;
    }

    bool positional(std::string_view word) {
        const std::size_t equals = word.find('=');
        if (equals != std::string_view::npos && is_name(slice(word, 0, equals))) {
            options_.driver.defines.emplace_back(slice(word, 0, equals), slice(word, equals + 1));
            return true;
        }
        return word == "--" || file(word);
    }

    bool read_graph() {
        if (expression_) {
            options_.driver.text = *expression_;
            options_.driver.file = "config";  // as Click calls it
        } else if (!file_ || *file_ == "-") {
            options_.driver.text = from_stream(std::cin);
            options_.driver.file = "<stdin>";
        } else {
            std::ifstream stream{*file_, std::ios::binary};
            if (!stream) {
                std::fprintf(stderr, "%s: No such file or directory\n", file_->c_str());
                return status_ = 1, false;
            }
            options_.driver.text = from_stream(stream);
            options_.driver.file = *file_;
        }
        return true;
    }

    Options& options_;
    int& status_;
    std::optional<std::string> expression_, file_;
};

}  // namespace

bool parse_options(int argc, char** argv, Options& options, int& status) { return Parser{options, status}.parse(argc, argv); }

}  // namespace unibpf::click
