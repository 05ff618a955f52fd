// The command line of `click`.
#pragma once

#include <string>
#include <vector>

#include "guest/click/driver.hpp"

namespace unibpf::click {

struct Options {
    DriverOptions driver;
    std::vector<std::string> handlers;  // to read at the end
    std::string exit_handler;           // whose value is the exit status
    std::string output;                 // where the flat configuration goes; empty: nowhere
    bool quit = false;                  // only build
    bool time = false;
    bool counters = false;  // a line for each element at the end
};

// Reads the graph as well. False: what is wrong was said, and `status` is the exit status.
bool parse_options(int argc, char** argv, Options& options, int& status);

}  // namespace unibpf::click
