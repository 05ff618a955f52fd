// QEMU's stream framing on a unix socket: 4 bytes big-endian length, then the frame.
//
// One peer at a time. A lost peer is looked for again every 50 ms, as the other end may be a VM that restarts. Both directions
// are buffered so that a burst costs one system call; a frame that the full send buffer cannot take is refused (and counted by
// the driver), never half sent. A length above 64 KiB is no frame: the connection is closed.
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest/platform/linux/linux.hpp"

namespace unibpf::platform::linux_process {
namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::size_t longest_record = 65536;
constexpr std::uint64_t retry_ns = 50'000'000;

class StreamDevice final : public Device {
  public:
    StreamDevice(std::string_view path, bool server) : server_{server} {
        if (path.empty() || path.size() >= sizeof address_.sun_path) fail("bad socket path, expected at most 107 bytes, got", path);
        address_.sun_family = AF_UNIX;
        std::memcpy(address_.sun_path, path.data(), path.size());
        if (server_) listen_at(path);
        attach();
    }

    int descriptor() const override { return peer_ >= 0 ? peer_ : listener_; }
    bool wants_write() const override { return sent_ < queued_; }

    std::size_t receive(std::span<std::uint8_t> frame) override {
        if (peer_ < 0 && !attach()) return 0;
        while (true) {
            const std::size_t have = filled_ - taken_;
            if (have >= 4) {
                const std::uint8_t* at = in_ + taken_;
                const std::size_t length = std::size_t{at[0]} << 24 | at[1] << 16 | at[2] << 8 | at[3];
                if (length > longest_record) return detach();
                if (have >= 4 + length) {
                    taken_ += 4 + length;
                    if (length == 0) continue;  // no frame
                    if (length > frame.size()) return length;
                    std::memcpy(frame.data(), at + 4, length);
                    return length;
                }
            }
            if (!fill()) return 0;
        }
    }

    bool transmit(std::span<const std::uint8_t> frame) override {
        if (peer_ < 0 && !attach()) return false;
        if (queued_ + 4 + frame.size() > buffer_bytes) flush();
        if (queued_ + 4 + frame.size() > buffer_bytes) return false;
        const std::size_t n = frame.size();
        const std::uint8_t header[4] = {0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
        std::memcpy(out_ + queued_, header, 4);
        std::memcpy(out_ + queued_ + 4, frame.data(), n);
        queued_ += 4 + n;
        return true;
    }

    void flush() override {
        while (peer_ >= 0 && sent_ < queued_) {
            const ssize_t n = send(peer_, out_ + sent_, queued_ - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n > 0) {
                sent_ += static_cast<std::size_t>(n);
                continue;
            }
            if (n < 0 && errno != EAGAIN && errno != EINTR) detach();
            break;
        }
        std::memmove(out_, out_ + sent_, queued_ - sent_);
        queued_ -= sent_;
        sent_ = 0;
    }

  private:
    void listen_at(std::string_view path) {
        unlink(address_.sun_path);
        listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        // Sound: the socket API takes every address family through sockaddr.
        if (bind(listener_, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0 || listen(listener_, 1) != 0)
            fail("cannot listen on", path);
    }

    bool attach() {
        if (server_) {
            peer_ = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            return peer_ >= 0;
        }
        const std::uint64_t now = monotonic_ns();
        if (now < retry_at_) return false;
        retry_at_ = now + retry_ns;
        peer_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(peer_, reinterpret_cast<sockaddr*>(&address_), sizeof address_) == 0) return true;
        close(peer_);
        peer_ = -1;
        return false;
    }

    std::size_t detach() {
        close(peer_);
        peer_ = -1;
        filled_ = taken_ = queued_ = sent_ = 0;
        return 0;
    }

    bool fill() {
        std::memmove(in_, in_ + taken_, filled_ - taken_);
        filled_ -= taken_;
        taken_ = 0;
        const ssize_t n = recv(peer_, in_ + filled_, buffer_bytes - filled_, MSG_DONTWAIT);
        if (n > 0) {
            filled_ += static_cast<std::size_t>(n);
            return true;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) detach();
        return false;
    }

    sockaddr_un address_{};
    bool server_;
    int listener_ = -1;
    int peer_ = -1;
    std::uint64_t retry_at_ = 0;
    std::size_t filled_ = 0, taken_ = 0;  // in_[taken_, filled_) is received and not yet handed on
    std::size_t queued_ = 0, sent_ = 0;   // out_[sent_, queued_) is to be sent
    std::uint8_t in_[buffer_bytes];
    std::uint8_t out_[buffer_bytes];
};

}  // namespace

Device* open_stream(std::string_view path, bool server) { return new StreamDevice{path, server}; }

}  // namespace unibpf::platform::linux_process
