// What a platform's entry calls once it can run C++: memory, clock and console work, nothing else has happened yet.
#pragma once

namespace unibpf {

[[noreturn]] void guest_main();

}  // namespace unibpf
