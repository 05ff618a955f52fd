// click: a graph in Click's language, built and run at the command line with the guest's own parser and elements.
//
// Exit status: 0, or 1 when the graph could not be built, a handler failed or a script complained; the value of the exit handler
// where one is given.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "guest/click/driver.hpp"
#include "guest/click/handlers.hpp"
#include "guest/click/options.hpp"

namespace unibpf::click {
namespace {

void print_value(const HandlerPath& path, const std::string& value, bool with_name) {
    if (with_name) std::printf("%s:\n", path.name().c_str());
    std::fwrite(value.data(), 1, value.size(), stdout);
    if (value.empty() || value.back() != '\n') std::putchar('\n');
    if (with_name) std::putchar('\n');
}

bool print_path(Driver& driver, const HandlerPath& path, std::string_view argument, bool with_name) {
    const Answer answer = read_handler(driver, path, argument);
    if (answer.ok) print_value(path, answer.text, with_name);
    else driver.complain(nullptr, answer.text);
    return answer.ok;
}

// `*.HANDLER`: that handler of every element that has it.
void print_of_all(Driver& driver, const std::string& handler) {
    for (Element* element : driver.router().elements()) {
        const HandlerPath path{element, handler};
        if (has_read(driver, path)) print_path(driver, path, {}, true);
    }
}

void print_handler(Driver& driver, const std::string& text, bool with_name) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string name = text.substr(0, blank), argument = blank < text.size() ? text.substr(blank + 1) : "";
    if (name.starts_with("*.")) return print_of_all(driver, name.substr(2));
    HandlerPath path;
    if (const Answer found = find_path(driver, nullptr, name, path); !found.ok) return driver.complain(nullptr, found.text);
    print_path(driver, path, argument, with_name);
}

// A truth value or a number, as a shell sees it.
int exit_status(Driver& driver, const std::string& handler) {
    const Answer answer = call_read(driver, nullptr, handler);
    if (!answer.ok) return driver.complain(nullptr, answer.text), 1;
    std::string value = answer.text;
    while (!value.empty() && value.back() == '\n') value.pop_back();
    bool truth = false;
    std::int32_t number = 0;
    if (read_word(value, number)) return number & 255;
    if (read_word(value, truth)) return truth ? 0 : 1;
    return 1;
}

// Name, class, packets, drops, and each reason with its number.
void print_counters(Driver& driver) {
    for (const Element* element : driver.router().elements()) {
        std::uint64_t sum = 0;
        std::string reasons;
        for (std::size_t i = 0; i < drop_reason_count; ++i) {
            const std::uint64_t count = element->drops()[i];
            sum += count;
            if (count > 0) reasons += (reasons.empty() ? "" : " ") + std::string{drop_reasons[i].name} + "=" + std::to_string(count);
        }
        std::printf("%s\t%s\t%llu\t%llu\t%s\n", std::string{element->name()}.c_str(), std::string{element->class_name()}.c_str(),
                    static_cast<unsigned long long>(element->packets()), static_cast<unsigned long long>(sum), reasons.c_str());
    }
}

int run(const Options& options) {
    Driver driver{options.driver};
    if (!driver.open_nics() || !driver.build()) return 1;
    const auto began = std::chrono::steady_clock::now();
    driver.begin();
    if (!options.output.empty()) {
        if (options.output == "-") std::fputs(flat_configuration(driver.router()).c_str(), stdout);
        else std::ofstream{options.output} << flat_configuration(driver.router());
    }
    if (!options.quit) driver.run();
    if (options.counters) print_counters(driver);
    if (options.time) std::printf("%.3fs real\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    const bool with_names = options.handlers.size() > 1;
    for (const std::string& handler : options.handlers) print_handler(driver, handler, with_names);
    if (!options.exit_handler.empty()) return exit_status(driver, options.exit_handler);
    return driver.faults() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace unibpf::click

int main(int argc, char** argv) {
    static unibpf::click::Options options;
    int status = 0;
    if (!unibpf::click::parse_options(argc, argv, options, status)) return status;
    status = unibpf::click::run(options);
    std::fflush(stdout);
    return status;
}
