#include "benchmarks/pktgen/stream.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace pktgen {
namespace {

constexpr std::size_t largest_frame = 65536;
constexpr int connect_tries = 200;
constexpr int socket_buffer = 4 << 20;

int connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("socket path `" + path + "` is too long");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    for (int tries = 0; tries < connect_tries; ++tries) {
        if (connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return descriptor;
        usleep(10'000);
    }
    close(descriptor);
    throw std::runtime_error("cannot connect to `" + path + "`: " + std::strerror(errno));
}

std::uint32_t big_endian(const std::uint8_t* at) {
    return static_cast<std::uint32_t>(at[0]) << 24 | static_cast<std::uint32_t>(at[1]) << 16 |
           static_cast<std::uint32_t>(at[2]) << 8 | at[3];
}

}  // namespace

Stream::Stream(const std::string& path) : descriptor_{connect_to(path)} {
    // The buffer takes up scheduling hiccups of a shared machine (about 1.5 s of 20,000 packets/s in batches); it needs
    // CAP_NET_ADMIN. Without it the kernel's default holds about 0.1 s.
    if (setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUFFORCE, &socket_buffer, sizeof socket_buffer) != 0)
        setsockopt(descriptor_, SOL_SOCKET, SO_SNDBUF, &socket_buffer, sizeof socket_buffer);
}

Stream::~Stream() { close(descriptor_); }

void Stream::add(std::span<const std::uint8_t> frame) {
    const auto length = static_cast<std::uint32_t>(frame.size());
    for (int shift = 24; shift >= 0; shift -= 8) batch_.push_back(static_cast<std::uint8_t>(length >> shift));
    batch_.insert(batch_.end(), frame.begin(), frame.end());
    frame_ends_.push_back(batch_.size());
}

std::size_t Stream::flush() {
    std::size_t refused = 0;
    if (!unfinished_.empty()) {
        const auto sent = send(descriptor_, unfinished_.data(), unfinished_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) unfinished_.erase(unfinished_.begin(), unfinished_.begin() + sent);
    }
    if (unfinished_.empty() && !batch_.empty()) {
        const auto result = send(descriptor_, batch_.data(), batch_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        const auto taken = static_cast<std::size_t>(std::max<ssize_t>(result, 0));
        const auto end = std::lower_bound(frame_ends_.begin(), frame_ends_.end(), taken);
        const auto begun = taken == 0 ? frame_ends_.begin() : end + 1;  // frames the socket has at least a byte of
        if (taken > 0 && end != frame_ends_.end() && *end > taken)
            unfinished_.assign(batch_.begin() + static_cast<std::ptrdiff_t>(taken), batch_.begin() + static_cast<std::ptrdiff_t>(*end));
        refused = begun > frame_ends_.end() ? 0 : static_cast<std::size_t>(frame_ends_.end() - begun);
    } else {
        refused = frame_ends_.size();
    }
    batch_.clear();
    frame_ends_.clear();
    return refused;
}

bool Stream::receive(const std::function<void(std::span<const std::uint8_t>)>& on_frame) {
    std::uint8_t buffer[65536];
    const auto got = recv(descriptor_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    input_.insert(input_.end(), buffer, buffer + got);
    std::size_t at = 0;
    while (input_.size() - at >= 4) {
        const std::size_t length = big_endian(&input_[at]);
        if (length > largest_frame) throw std::runtime_error("frame length out of range on the stream");
        if (input_.size() - at < 4 + length) break;
        on_frame({&input_[at + 4], length});
        at += 4 + length;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(at));
    return true;
}

}  // namespace pktgen
