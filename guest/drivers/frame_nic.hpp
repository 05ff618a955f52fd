// A Nic over a platform::FrameDevice: one frame at a time, each copied by the device straight into or out of a packet slot.
#pragma once

#include <algorithm>

#include "guest/drivers/nic.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

class FrameNic final : public Nic {
  public:
    FrameNic(platform::FrameDevice& device, PacketPool& pool) : device_{device}, pool_{pool} {
        std::ranges::copy(device.mac(), mac_.begin());
    }
    std::size_t receive(Batch& batch) override;
    void transmit(Batch&& batch) override;
    void flush() override { device_.flush(); }

  private:
    platform::FrameDevice& device_;
    PacketPool& pool_;
};

}  // namespace unibpf
