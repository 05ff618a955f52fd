// Arrays: a u32 index. Values always exist; programs, devices and maps may be missing at an index.
//
// Errors as Linux' (bpf(2)): values cannot be deleted (EINVAL) nor added (EEXIST), an index past the end is E2BIG, or EINVAL for
// the deletion of a device. A device whose port is 0 is no device (Linux: ifindex 0). Program arrays are a part of the program:
// only the loader fills them.
#pragma once

#include "guest/bpf/maps/map.hpp"

namespace unibpf {

class ArrayMap final : public Map {
  public:
    ScanStep scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const override;
    std::uint32_t visit(Visit visit, void* context) override;

    // Program arrays. The instruction to go on at, or no_function (machine.hpp).
    // Native code may read the u32 itself: they stand one after the other from global_data() on.
    std::uint32_t program(std::uint32_t index) const;
    void set_program(std::uint32_t index, std::uint32_t instruction);  // the loader's

  private:
    Status allocate(const BundleMap& spec) override;
    bool vacant(const std::uint8_t* place) const;
    std::uint8_t* find(const std::uint8_t* key) const;  // null past the end
    long put(const std::uint8_t* key, const std::uint8_t* stored);
    long clear(const std::uint8_t* key, int past_the_end, int missing);

    static std::uint8_t* lookup_value(Map& map, const std::uint8_t* key);
    static long update_value(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags);
    static std::uint8_t* lookup_device(Map& map, const std::uint8_t* key);
    static long update_device(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags);
    static long remove_device(Map& map, const std::uint8_t* key);
    static std::uint8_t* lookup_map(Map& map, const std::uint8_t* key);
    static long update_map(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags);
    static long remove_map(Map& map, const std::uint8_t* key);
};

}  // namespace unibpf
