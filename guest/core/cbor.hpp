// CBOR (RFC 8949) as this project uses it: deterministic encoding only (4.2.1), read and written without allocation.
//
// The reader accepts exactly one encoding of every value: minimal heads, definite lengths, valid UTF-8, map keys that are
// small integers and rise. So "decodes" implies "would encode to the same bytes", which is what makes a digest over the bytes
// a digest over the meaning. Floats and simple values occur in no schema and are refused.
// A view that the reader returns points into its input and lives as long as that does.
// Errors carry the rule that the caller names at construction, because the same fault is `shape` in an envelope and `payload`
// inside its payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "guest/core/result.hpp"

namespace unibpf::cbor {

using Bytes = std::span<const std::uint8_t>;

enum class Major : std::uint8_t {
    uint = 0,
    nint = 1,
    bytes = 2,
    text = 3,
    array = 4,
    map = 5,
    tag = 6,
    simple = 7
};

inline constexpr unsigned max_depth = 8;

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
inline bool is_utf8(Bytes text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const std::uint8_t lead = text[i];
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const unsigned extra = lead >= 0xf0   ? 3
                               : lead >= 0xe0 ? 2
                                              : 1;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i <= extra) return false;
        std::uint32_t code = lead & (0x3fU >> extra);
        for (unsigned k = 1; k <= extra; ++k) {
            if ((text[i + k] & 0xc0) != 0x80) return false;
            code = code << 6 | (text[i + k] & 0x3fU);
        }
        constexpr std::uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
        if (code < smallest[extra] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
        i += extra + 1;
    }
    return true;
}

class Reader {
  public:
    explicit Reader(Bytes input, const char* rule = "shape") : input_{input}, rule_{rule} {}

    bool at_end() const { return position_ == input_.size(); }
    std::size_t position() const { return position_; }
    Error error(const char* text, std::uint64_t value = 0) const { return {rule_, text, value}; }

    Result<Major> peek_major() const {
        if (at_end()) return error("CBOR ends where an item is expected", position_);
        return static_cast<Major>(input_[position_] >> 5);
    }

    Result<std::uint64_t> uint() { return head(Major::uint, "CBOR item is not an unsigned integer"); }

    // A negative integer. Only what fits int64 is accepted.
    Result<std::int64_t> nint() {
        const std::uint64_t value = TRY(head(Major::nint, "CBOR item is not a negative integer"));
        if (value > INT64_MAX) return error("CBOR negative integer below -2^63", value);
        return -1 - static_cast<std::int64_t>(value);
    }

    Result<Bytes> bytes() { return content(TRY(head(Major::bytes, "CBOR item is not a byte string"))); }

    Result<std::string_view> text() {
        const Bytes raw = TRY(content(TRY(head(Major::text, "CBOR item is not a text string"))));
        if (!is_utf8(raw)) return error("CBOR text is not UTF-8", position_);
        // char and std::uint8_t may alias: both are byte types.
        return std::string_view{reinterpret_cast<const char*>(raw.data()), raw.size()};
    }

    // Counts are capped by the bytes left (every item takes at least one), so a caller may loop over them.
    Result<std::uint64_t> array() { return count(TRY(head(Major::array, "CBOR item is not an array")), 1); }
    Result<std::uint64_t> map() { return count(TRY(head(Major::map, "CBOR item is not a map")), 2); }
    Result<std::uint64_t> tag() { return head(Major::tag, "CBOR item is not a tag"); }

    Result<Unit> end() const {
        if (!at_end()) return error("CBOR has bytes past its end", input_.size() - position_);
        return Unit{};
    }

    // Skips one well-formed item of any accepted type and returns its bytes; nesting at most max_depth.
    // Keys of maps inside it are checked for form, not for order.
    Result<Bytes> raw_item() {
        const std::size_t start = position_;
        std::uint64_t pending[max_depth + 1] = {1};  // items still to read on each open level
        unsigned depth = 0;
        while (true) {
            if (pending[depth] == 0) {
                if (depth-- == 0) return input_.subspan(start, position_ - start);
                continue;
            }
            --pending[depth];
            const std::uint64_t inner = TRY(skip_one());
            if (inner == 0) continue;
            if (depth == max_depth) return error("CBOR is nested too deep", depth + 1);
            pending[++depth] = inner;
        }
    }

  private:
    // One head; strings are skipped with their content. Returns how many items follow inside.
    Result<std::uint64_t> skip_one() {
        switch (TRY(peek_major())) {
            case Major::uint: TRY(uint()); return std::uint64_t{0};
            case Major::nint: TRY(nint()); return std::uint64_t{0};
            case Major::bytes: TRY(bytes()); return std::uint64_t{0};
            case Major::text: TRY(text()); return std::uint64_t{0};
            case Major::array: return TRY(array());
            case Major::map: return 2 * TRY(map());
            case Major::tag: TRY(tag()); return std::uint64_t{1};
            case Major::simple: break;
        }
        return error("CBOR floats and simple values are not used", input_[position_]);
    }

    // RFC 8949 4.2.1: the argument must be in its shortest form; 31 (indefinite) and 28..30 (reserved) never occur.
    Result<std::uint64_t> head(Major major, const char* mismatch) {
        if (TRY(peek_major()) != major) return error(mismatch, position_);
        const unsigned info = input_[position_] & 0x1f;
        if (info < 24) {
            ++position_;
            return std::uint64_t{info};
        }
        if (info > 27) return error("CBOR length is indefinite or reserved", position_);
        const std::size_t width = std::size_t{1} << (info - 24);
        if (input_.size() - position_ - 1 < width) return error("CBOR ends inside an item", position_);
        std::uint64_t value = 0;
        for (std::size_t i = 1; i <= width; ++i) value = value << 8 | input_[position_ + i];
        const std::uint64_t smallest = width == 1 ? 24 : std::uint64_t{1} << (width * 4);
        if (value < smallest) return error("CBOR number is not in its shortest form", position_);
        position_ += 1 + width;
        return value;
    }

    Result<Bytes> content(std::uint64_t length) {
        if (length > input_.size() - position_) return error("CBOR string ends past the input", length);
        const Bytes result = input_.subspan(position_, length);
        position_ += length;
        return result;
    }

    Result<std::uint64_t> count(std::uint64_t items, std::uint64_t each) const {
        if (items > (input_.size() - position_) / each) return error("CBOR count exceeds the input", items);
        return items;
    }

    Bytes input_;
    const char* rule_;
    std::size_t position_ = 0;
};

// The keys of one map: unsigned integers 0..23, strictly ascending. Usage:
//     auto map = TRY(cbor::MapReader::open(reader));
//     while (const auto key = TRY(map.next())) switch (*key) { case 0: ...read the value from reader...; }
class MapReader {
  public:
    MapReader() = default;

    static Result<MapReader> open(Reader& reader) {
        MapReader map;
        map.left_ = TRY(reader.map());
        map.reader_ = &reader;
        return map;
    }

    // The next key, or nothing at the end of the map. The caller must read the value before it asks again.
    Result<std::optional<unsigned>> next() {
        if (left_ == 0) return std::optional<unsigned>{};
        --left_;
        const std::uint64_t key = TRY(reader_->uint());
        if (key > 23) return reader_->error("CBOR map key is not within 0..23", key);
        if (static_cast<int>(key) <= last_) return reader_->error("CBOR map keys are not ascending", key);
        last_ = static_cast<int>(key);
        seen_ |= 1U << key;
        return std::optional<unsigned>{static_cast<unsigned>(key)};
    }

    // Call at the end: every key of `required` (a bit mask) was there.
    Result<Unit> require(std::uint32_t required) const {
        const std::uint32_t missing = required & ~seen_;
        if (missing != 0) return reader_->error("CBOR map lacks a key", static_cast<std::uint64_t>(__builtin_ctz(missing)));
        return Unit{};
    }
    bool has(unsigned key) const { return (seen_ >> key & 1U) != 0; }
    Error unknown(unsigned key) const { return reader_->error("CBOR map has an unknown key", key); }

  private:
    Reader* reader_ = nullptr;
    std::uint64_t left_ = 0;
    std::uint32_t seen_ = 0;
    int last_ = -1;
};

// Writes into a fixed span. A write that does not fit sets overflow() and writes nothing more; check it once at the end.
// Maps of named keys are written by Fields, lists of unknown length by Items (below).
class Writer {
  public:
    explicit Writer(std::span<std::uint8_t> output) : output_{output} {}

    bool overflow() const { return overflow_; }
    std::size_t size() const { return size_; }
    Bytes written() const { return Bytes{output_.data(), size_}; }

    void uint(std::uint64_t value) { head(Major::uint, value); }
    void nint(std::int64_t value) { head(Major::nint, static_cast<std::uint64_t>(-1 - value)); }  // value < 0
    void bytes(Bytes value) {
        head(Major::bytes, value.size());
        raw(value);
    }
    // The head of a byte string whose content the caller puts after it (in another buffer, or by raw).
    void bytes_head(std::uint64_t length) { head(Major::bytes, length); }
    void text(std::string_view value) {
        head(Major::text, value.size());
        raw({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});  // byte types may alias
    }
    void array(std::uint64_t items) { head(Major::array, items); }
    void map(std::uint64_t pairs) { head(Major::map, pairs); }
    void tag(std::uint64_t number) { head(Major::tag, number); }

    // Bytes that are already CBOR.
    void raw(Bytes value) {
        if (overflow_ || value.size() > output_.size() - size_) {
            overflow_ = true;
            return;
        }
        if (!value.empty()) std::memcpy(output_.data() + size_, value.data(), value.size());
        size_ += value.size();
    }

    // The place of the head of a map or a list whose length is known only when it is whole: `end` puts it there.
    std::size_t begin() {
        const std::size_t at = size_;
        raw(Head{Major::map, 0}.bytes());
        return at;
    }
    void end(std::size_t at, Major major, std::uint64_t count) {
        const Head head{major, count};
        const std::size_t more = head.size - 1;
        if (overflow_ || more > output_.size() - size_) {
            overflow_ = true;
            return;
        }
        if (more != 0) std::memmove(&output_[at + head.size], &output_[at + 1], size_ - at - 1);
        std::memcpy(&output_[at], head.buffer, head.size);
        size_ += more;
    }
    void refuse() { overflow_ = true; }

  private:
    // RFC 8949 3: the shortest form.
    struct Head {
        std::uint8_t buffer[9];
        std::uint8_t size = 1;

        Head(Major major, std::uint64_t value) {
            const auto type = static_cast<std::uint8_t>(static_cast<unsigned>(major) << 5);
            buffer[0] = static_cast<std::uint8_t>(type | value);
            if (value < 24) return;
            const unsigned log = value <= 0xff         ? 0
                                 : value <= 0xffff     ? 1
                                 : value <= 0xffffffff ? 2
                                                       : 3;
            const unsigned width = 1U << log;
            buffer[0] = static_cast<std::uint8_t>(type | (24 + log));
            for (unsigned i = 0; i < width; ++i) buffer[1 + i] = static_cast<std::uint8_t>(value >> (8 * (width - 1 - i)));
            size = static_cast<std::uint8_t>(width + 1);
        }
        Bytes bytes() const { return {buffer, size}; }
    };
    void head(Major major, std::uint64_t value) { raw(Head{major, value}.bytes()); }

    std::span<std::uint8_t> output_;
    std::size_t size_ = 0;
    bool overflow_ = false;
};

// A map that counts its own entries, keyed by an enum of what they are called. `fields[Key::name].text("fw")`: the writer that
// comes back takes exactly one item. Keys that do not ascend (RFC 8949 4.2.1) are a fault of the program: the answer is refused.
template <typename Key>
class Fields {
  public:
    explicit Fields(Writer& writer) : writer_{writer}, at_{writer.begin()} {}
    ~Fields() { writer_.end(at_, Major::map, count_); }
    Fields(const Fields&) = delete;
    Fields& operator=(const Fields&) = delete;

    Writer& operator[](Key key) {
        const auto value = static_cast<std::int64_t>(key);
        put(value < 0 ? negative - value : value);
        value < 0 ? writer_.nint(value) : writer_.uint(static_cast<std::uint64_t>(value));
        return writer_;
    }
    // After all that have numbers.
    Writer& operator[](std::string_view key) {
        put(negative << 1);
        writer_.text(key);
        return writer_;
    }

  private:
    static constexpr std::int64_t negative = std::int64_t{1} << 32;  // where -1, -2 ... are in the order of keys

    void put(std::int64_t rank) {
        if (rank <= last_) writer_.refuse();
        last_ = rank;
        ++count_;
    }

    Writer& writer_;
    std::size_t at_;
    std::int64_t last_ = -1;
    std::uint64_t count_ = 0;
};

// A list that counts its own items: call `next()` before each.
class Items {
  public:
    explicit Items(Writer& writer) : writer_{writer}, at_{writer.begin()} {}
    ~Items() { writer_.end(at_, Major::array, count_); }
    Items(const Items&) = delete;
    Items& operator=(const Items&) = delete;

    Writer& next() {
        ++count_;
        return writer_;
    }

  private:
    Writer& writer_;
    std::size_t at_;
    std::uint64_t count_ = 0;
};

}  // namespace unibpf::cbor
