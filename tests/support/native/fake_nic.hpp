// FakeNic: the other side of the Nic seam. Tests put frames in and take frames out; packets come from a real pool.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "guest/drivers/nic.hpp"

namespace unibpf::test {

using Frame = std::vector<std::uint8_t>;

class FakeNic : public Nic {
  public:
    FakeNic(std::string_view name, std::uint8_t index, PacketPool& pool) : pool_{pool} {
        set_name(name);
        set_index(index);
        mac_ = {0x02, 0, 0, 0, 0, index};
    }

    std::size_t receive(Batch& batch) override {
        std::size_t received = 0;
        for (; !arriving.empty() && !batch.full(); ++received) {
            PacketPtr packet = pool_.acquire();
            if (!packet) break;
            packet->put(static_cast<std::uint16_t>(arriving.front().size()));
            std::copy(arriving.front().begin(), arriving.front().end(), packet->data());
            packet->input_nic = index();
            batch.push_back(std::move(packet));
            arriving.pop_front();
        }
        return received;
    }
    void transmit(Batch&& batch) override {
        batches.push_back(batch.size());
        for (const Packet& packet : batch) pending_.emplace_back(packet.data(), packet.data() + packet.length());
        batch.clear();
    }
    void flush() override {
        for (Frame& frame : pending_) sent.push_back(std::move(frame));
        pending_.clear();
    }

    std::deque<Frame> arriving;
    std::vector<Frame> sent;           // only what was flushed
    std::vector<std::size_t> batches;  // sizes, in the order of transmit

  private:
    PacketPool& pool_;
    std::vector<Frame> pending_;
};

}  // namespace unibpf::test
