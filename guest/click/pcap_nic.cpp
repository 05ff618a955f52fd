#include "guest/click/pcap_nic.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace unibpf::click {

std::string PcapNic::open(std::string_view specification) {
    const std::size_t equals = specification.find('='), comma = specification.find(',');
    if (equals == std::string_view::npos || comma == std::string_view::npos || comma < equals) return "expected NAME=IN,OUT";
    const std::string name{specification.substr(0, equals)}, in{specification.substr(equals + 1, comma - equals - 1)};
    const std::string out{specification.substr(comma + 1)};
    set_name(name);
    mac_ = {0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(index() + 1)};
    if (!in.empty()) {
        in_ = std::fopen(in.c_str(), "rb");
        if (!in_) return in + ": No such file or directory";
        if (const std::string_view fault = reader_.open(in_); !fault.empty()) return in + " " + std::string{fault};
        if (reader_.link() != link_ethernet) return in + " holds no Ethernet frames";
        read_ahead();
    }
    if (out.empty()) return "";
    out_ = std::fopen(out.c_str(), "wb");
    if (!out_) return out + ": cannot be written";
    write_pcap_header(out_, link_ethernet, 65535);
    return "";
}

void PcapNic::close() {
    for (std::FILE* file : {std::exchange(in_, nullptr), std::exchange(out_, nullptr)})
        if (file) std::fclose(file);
}

void PcapNic::read_ahead() { waiting_ = reader_.next(next_); }

std::size_t PcapNic::receive(Batch& batch) {
    std::size_t count = 0;
    while (waiting_ && !batch.full() && next_.time_ns <= *now_ns_) {
        PacketPtr packet = PacketPool::system().acquire(use_);
        if (!packet) return ++counters_.rx_no_slot, count;
        const bool fits = next_.bytes.size() <= Packet::longest_fresh && next_.bytes.size() >= 14;
        if (fits) {
            packet->put(static_cast<std::uint16_t>(next_.bytes.size()));
            std::memcpy(packet->data(), next_.bytes.data(), next_.bytes.size());
            packet->arrival_ns = next_.time_ns;
            packet->input_nic = index();
            ++counters_.rx_packets;
            counters_.rx_bytes += next_.bytes.size();
            batch.push_back(std::move(packet));
            ++count;
        } else {
            ++(next_.bytes.size() < 14 ? counters_.rx_bad_length : counters_.rx_too_long);
        }
        read_ahead();
    }
    return count;
}

void PcapNic::transmit(Batch&& batch) {
    for (const Packet& packet : batch) {
        ++counters_.tx_packets;
        counters_.tx_bytes += packet.length();
        if (out_) write_pcap_record(out_, {*now_ns_, packet.length(), {reinterpret_cast<const char*>(packet.data()), packet.length()}});
    }
    batch.clear();
}

}  // namespace unibpf::click
