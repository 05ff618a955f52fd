// What a platform offers to programs: the tables that a bundle is decoded, validated and analysed against.
//
// `guest` offers what guests implement (guest/bpf/bundle/abi.hpp). `linux-xdp` offers those rows and what Linux offers to XDP programs
// besides (linux_xdp.hpp).
#pragma once

#include "guest/bpf/bundle/abi.hpp"
#include "services/verifier/native/program/program.hpp"

namespace unibpf::analyser {

const abi::Tables& tables_of(Platform platform);
// Of a map of a bundle that was decoded against the platform's tables.
inline const abi::MapTypeRow& type_of(const Map& map, Platform platform) { return *tables_of(platform).find_map_type(map.type); }

}  // namespace unibpf::analyser
