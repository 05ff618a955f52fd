#include "guest/run/output.hpp"

#include <unistd.h>

namespace unibpf::run {

std::FILE* separate_output_from_console() {
    std::FILE* output = fdopen(dup(STDOUT_FILENO), "w");
    dup2(STDERR_FILENO, STDOUT_FILENO);
    return output;
}

}  // namespace unibpf::run
