// What the files of this platform share. start.cpp fills it from argv; tests leave it at its defaults.
#pragma once

#include <array>
#include <csignal>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/platform/platform.hpp"

namespace unibpf::platform::linux_process {

// A FrameDevice with a descriptor that idle_until can wait for.
class Device : public FrameDevice {
  public:
    virtual ~Device() = default;
    virtual int descriptor() const = 0;  // -1: nothing to wait for now
    virtual bool wants_write() const { return false; }
    std::span<const std::uint8_t, 6> mac() const override { return mac_; }
    void set_mac(std::span<const std::uint8_t, 6> mac) {
        for (int i = 0; i < 6; ++i) mac_[i] = mac[i];
    }

  protected:
    std::uint8_t mac_[6] = {};
};

// Opens what `--nic NAME=MAC:KIND:ARGUMENT` describes; exits with a sentence on stderr when it cannot.
//   stream:PATH[,server]   QEMU's stream framing (4-byte big-endian length) on a unix socket
//   tap:IFNAME             a TAP made beforehand, or by this process if it may
//   packet:IFNAME          AF_PACKET on an interface
//   udp-control:PORT       127.0.0.1:PORT as a management network: datagrams become frames to the guest's address
Device* open_device(std::string_view specification);

Device* open_stream(std::string_view path, bool server);
Device* open_tap(std::string_view interface);
Device* open_packet(std::string_view interface);
Device* open_udp_control(std::uint16_t port);

void set_boot_module(std::span<std::byte> module);
void set_command_line(std::string_view text);
void add_device(Device* device);
void note_entry();          // now is entry_ns
void place_regions_at(std::uintptr_t address);  // below 4 GiB; of tests that want addresses whose upper bit is set
inline constexpr std::array power_off_signals = {SIGTERM, SIGINT};
void install_signals();     // these ask for power-off
void ask_power_off();       // in a handler

// code_pages.cpp: from now on a system call that native code makes ends in SIGSYS. False: the kernel does not do that.
bool forbid_calls_of_native_code();

// isolation.cpp. In a signal handler that goes on to the data path or to control, before either: the kernel has taken rights away
// from the handler.
void take_all_rights();

[[noreturn]] void fail(std::string_view what, std::string_view literal);  // usage and set-up errors: one sentence, exit 2

}  // namespace unibpf::platform::linux_process
