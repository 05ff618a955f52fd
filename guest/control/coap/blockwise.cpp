#include "guest/control/coap/blockwise.hpp"

#include <algorithm>

namespace unibpf::coap {

namespace {

Operation without_tag(Operation operation) {
    operation.tag = {};
    operation.tag_length = 0;
    return operation;
}

}  // namespace

Operation operation_of(const Endpoint& peer, Code method, const RequestOptions& options) {
    Operation operation{peer, method, options.path, {}, static_cast<std::uint8_t>(options.request_tag.size())};
    std::copy(options.request_tag.begin(), options.request_tag.end(), operation.tag.begin());
    return operation;
}

Result<const Buffer*> Uploads::add(const Operation& operation, const RequestOptions& options, Bytes payload,
                                   std::size_t limit, std::uint64_t now_ns) {
    const Block block = options.block1.value_or(Block{});
    Transfer* transfer = find(operation);
    if (block.number == 0) {
        if (transfer != nullptr) finish(operation);  // RFC 7959 2.5: block 0 starts anew
        transfer = begin(operation, now_ns);
        if (transfer == nullptr) return Error{"busy", "too many block-wise transfers are in progress", max_transfers};
    }
    if (transfer == nullptr) return Error{"incomplete", "no transfer is in progress that this block continues", block.number};
    transfer->touched_ns = now_ns;
    if (const Status status = append(*transfer, block, payload, options, limit); !status) {
        finish(operation);
        return status.error();
    }
    return block.more ? nullptr : &transfer->body;
}

Status Uploads::append(Transfer& transfer, const Block& block, Bytes payload, const RequestOptions& options,
                       std::size_t limit) {
    if (options.block1.has_value()) {
        if (block.more && payload.size() != block.size()) {
            return Error{"block", "a block that is not the last has another length than its exponent says", payload.size()};
        }
        if (payload.size() > block.size()) return Error{"block", "a block is longer than its exponent says", payload.size()};
        if (block.offset() != transfer.body.size()) {
            return Error{"incomplete", "a block does not continue where the one before it ended", block.offset()};
        }
    }
    const std::size_t wanted = transfer.body.size() + payload.size();
    const std::size_t announced = std::max<std::size_t>(wanted, options.size1.value_or(0));
    if (announced > limit) return Error{"size", "the body is longer than this resource takes", limit};
    if (wanted <= transfer.body.capacity()) {
        (void)transfer.body.append(payload);
        return done();
    }
    // Grow at once to what the client announced, else by doubling; never past the limit.
    const std::size_t capacity = block.more ? std::max(announced, std::min(limit, std::max<std::size_t>(8192, wanted * 2))) : wanted;
    if (held() - transfer.body.capacity() + capacity > budget_ || !transfer.body.reserve(capacity)) {
        return Error{"busy", "there is no memory for the body now", capacity};
    }
    (void)transfer.body.append(payload);
    return done();
}

void Uploads::finish(const Operation& operation) {
    if (Transfer* transfer = find(operation); transfer != nullptr) {
        transfer->used = false;
        transfer->body.clear();
    }
}

std::size_t Uploads::held() const {
    std::size_t total = 0;
    for (const Transfer& transfer : transfers_) total += transfer.body.capacity();
    return total;
}

Uploads::Transfer* Uploads::find(const Operation& operation) {
    for (Transfer& transfer : transfers_) {
        if (transfer.used && transfer.operation == operation) return &transfer;
    }
    return nullptr;
}

Uploads::Transfer* Uploads::begin(const Operation& operation, std::uint64_t now_ns) {
    Transfer* chosen = nullptr;
    for (Transfer& transfer : transfers_) {
        if (transfer.used && now_ns - transfer.touched_ns > exchange_lifetime_ns) {
            transfer.used = false;
            transfer.body.clear();
        }
        if (!transfer.used) {
            chosen = &transfer;
            break;
        }
        if (now_ns - transfer.touched_ns > idle_before_eviction_ns &&
            (chosen == nullptr || transfer.touched_ns < chosen->touched_ns)) {
            chosen = &transfer;
        }
    }
    if (chosen == nullptr) return nullptr;
    chosen->body.clear();
    chosen->used = true;
    chosen->operation = operation;
    return chosen;
}

const Representation* Downloads::store(const Operation& operation, Code code, std::uint16_t format, Bytes body,
                                       std::uint64_t now_ns) {
    const Operation key = without_tag(operation);
    Representation* oldest = &representations_[0];
    for (Representation& representation : representations_) {
        if (representation.used && representation.operation == key) {
            oldest = &representation;
            break;
        }
        if (!representation.used || (oldest->used && representation.touched_ns < oldest->touched_ns)) oldest = &representation;
    }
    oldest->used = false;
    oldest->body.clear();
    if (!oldest->body.append(body)) return nullptr;
    oldest->used = true;
    oldest->operation = key;
    oldest->code = code;
    oldest->format = format;
    oldest->etag = next_etag_++;
    oldest->touched_ns = now_ns;
    return oldest;
}

const Representation* Downloads::find(const Operation& operation, std::uint64_t now_ns) {
    const Operation key = without_tag(operation);
    for (Representation& representation : representations_) {
        if (!representation.used || !(representation.operation == key)) continue;
        if (now_ns - representation.touched_ns > exchange_lifetime_ns) return nullptr;
        representation.touched_ns = now_ns;
        return &representation;
    }
    return nullptr;
}

}  // namespace unibpf::coap
