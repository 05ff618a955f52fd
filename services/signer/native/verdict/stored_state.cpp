// A state as certificates store it. Whatever it claims is held against the states that lead to it; here is seen to that it means
// something at all: indices exist, cells lie beside each other, bytes of addresses are no numbers.
#include <bit>

#include "services/signer/native/input/cbor.hpp"
#include "services/signer/native/verdict/certificate.hpp"

namespace unibpf::certificate {
namespace {

constexpr std::size_t most_symbols = 4096, most_edges = 256;

class StateReader {
  public:
    StateReader(Cbor& in, const Chains& chains, const Place& place, const Program& program) : in_{in}, chain_{chains[place.chain]}, program_{program} {}

    State run() {
        state_ = State::start();
        state_.reg = {};
        state_.frames.resize(chain_.depth + 1);
        state_.reg[frame_pointer] = Value::pointer(Kind::stack, chain_.depth);
        in_.each_key([&](unsigned key) { part(key); });
        check();
        return std::move(state_);
    }

  private:
    void part(unsigned key) {
        switch (key) {
            case 0: return each([&] { symbol(); });
            case 1: return in_.each_key([&](unsigned reg) {
                if (reg >= frame_pointer) malformed("a register above r9");
                state_.reg[reg] = value();
            });
            case 2: return frames();
            case 3: return each([&] { edge(); });
            case 4: return each([&] { saved(); });
            case 5: return each([&] { callback(); });
            case 6: return each([&] { state_.loops.push_back({no_node, ghost()}); });
            case 7: return each([&] { held(); });
            case 8:
                state_.lock = in_.uint();
                state_.locked = state_.lock == 0 ? Locked::unknown : Locked::yes;
                return;
            case 9: return each([&] { definition(); });
            default: malformed("a state has a key that certificates do not have");
        }
    }

    template <typename F>
    void each(F&& read) {
        for (std::size_t left = in_.array(); left > 0; --left) read();
    }
    void fields(std::size_t count) {
        if (in_.array() != count) malformed("an item has another number of fields than the schema says");
    }

    // --- numbers; the first two are the fixed symbols, which start with what every packet has

    void symbol() {
        if (state_.symbols.size() > most_symbols) too_large("a state has more symbols than a certificate may");
        const std::size_t index = ++symbols_;
        const Word read = word();
        if (index >= first_free) state_.symbols.push_back({read});
        else if (!state_.symbols[index].word.meet(read)) malformed("a number that cannot be");
    }

    Word word() {
        Word word;
        in_.each_key([&](unsigned key) {
            fields(2);
            switch (key) {
                case 0: word.u = {in_.uint(), in_.uint()}; break;
                case 1: word.s = {in_.integer(), in_.integer()}; break;
                case 2: word.hu = {static_cast<std::uint32_t>(in_.uint(UINT32_MAX)), static_cast<std::uint32_t>(in_.uint(UINT32_MAX))}; break;
                case 3: word.hs = {short_integer(), short_integer()}; break;
                case 4:
                    word.ones = in_.uint();
                    word.fuzzy = in_.uint();
                    if ((word.ones & word.fuzzy) != 0) malformed("a bit that is known and not known");
                    break;
                default: malformed("a number has a key that certificates do not have");
            }
        });
        if (!word.settle()) malformed("a number that cannot be");
        return word;
    }
    std::int32_t short_integer() {
        const std::int64_t number = in_.integer();
        if (number < INT32_MIN || number > INT32_MAX) malformed("a number is out of its range");
        return static_cast<std::int32_t>(number);
    }

    Symbol index() { return static_cast<Symbol>(in_.uint(state_.symbols.size() - 1)); }

    void edge() {
        fields(3);
        if (state_.edges.size() == most_edges) too_large("a state has more edges than a certificate may");
        const Symbol a = index(), b = index();
        state_.edges.push_back({a, b, in_.integer()});
    }

    // How a number came to be; each at most once, and never of the packet's size.
    void definition() {
        fields(6);
        const Symbol symbol = index();
        Origin& origin = state_.symbols[symbol].origin;
        if (symbol < first_free || origin.form != Origin::Form::none) malformed("a number that came to be in two ways");
        origin.form = static_cast<Origin::Form>(in_.uint(static_cast<std::uint64_t>(Origin::Form::rounded)));
        origin.left.symbol = index(), origin.left.offset = in_.integer();
        origin.right.symbol = index(), origin.right.offset = in_.integer();
        const bool is_known = origin.form == Origin::Form::rounded ? origin.right.symbol == zero && origin.right.offset >= 0 : origin.form != Origin::Form::none;
        if (!is_known) malformed("a number that came to be in no way that certificates have");
    }

    // --- values

    // A number known is itself; null is what must not be read; else kind, symbol, offset, then object, witness, identity.
    Value value() {
        if (in_.null()) return {};
        if (!in_.next_is_array()) return Value::number({zero, in_.integer()});
        const std::size_t count = in_.array();
        if (count < 1 || count > 6) malformed("a value has more fields than the schema says");
        Value value;
        value.kind = static_cast<Kind>(in_.uint(13));
        if (value.kind == Kind::unset || value.kind == Kind{12}) malformed("a value of no kind");
        if (count > 1) value.term.symbol = index();
        if (count > 2) value.term.offset = in_.integer();
        if (count > 3) value.object = in_.uint();
        if (count > 4) value.witness = static_cast<Witness>(in_.uint(UINT32_MAX - 8));
        if (count > 5) value.identity = in_.uint();
        state_.next_witness = std::max(state_.next_witness, value.witness + 1);
        if (value.kind == Kind::unknown) return Value::unknown();
        if (value.kind == Kind::number && value.witness != always) malformed("a number that may be null");
        if (value.is_set()) check_maps(value);
        return value;
    }
    void check_maps(const Value& value) const {
        if (value.object == 0) malformed("a value of no map");
        for (std::uint64_t maps = value.object; maps != 0; maps &= maps - 1) {
            const auto map = static_cast<std::size_t>(std::countr_zero(maps));
            const bool exists = map < program_.maps.size() && (value.kind != Kind::inner_map || program_.maps[map].inner);
            if (!exists) malformed("a value of a map that the program does not have");
        }
    }
    Value number() {
        const Value result = value();
        if (!result.is_number()) malformed("a count that is no number");
        return result;
    }

    Ghost ghost() {
        fields(2);
        const Value up = number();
        return {up, number()};
    }

    void frames() {
        std::size_t at = 0;
        each([&] {
            if (at == state_.frames.size()) malformed("more frames than the chain of calls has");
            fields(2);
            Frame& frame = state_.frames[at++];
            unsigned past = 0;
            std::vector<Cell> cells;
            each([&] { cells.push_back(cell(past)); });
            each([&] {
                fields(2);
                const auto start = static_cast<unsigned>(in_.uint(frame_size));
                const auto count = static_cast<unsigned>(in_.uint(frame_size - start));
                for (unsigned i = start; i < start + count; ++i) frame.numbers.set(i);
            });
            for (const Cell& one : cells) frame.store(one.start, one.bytes, one.value);
        });
    }

    Cell cell(unsigned& past) {
        fields(3);
        Cell cell{};
        cell.start = static_cast<std::uint16_t>(in_.uint(frame_size - 1));
        cell.bytes = static_cast<std::uint8_t>(in_.uint(8));
        cell.value = value();
        if (cell.start < past || cell.bytes == 0 || cell.start + cell.bytes > static_cast<int>(frame_size)) malformed("cells overlap, or leave the frame");
        if (cell.value.kind == Kind::unset) malformed("a cell that must not be read");
        past = cell.start + unsigned{cell.bytes};
        return cell;
    }

    void saved() {
        fields(4);
        auto& four = state_.saved.emplace_back();
        for (Value& one : four) one = value();
    }

    void callback() {
        fields(6);
        Callback call{};
        call.limit = number();
        call.context = value();
        call.map = value();
        call.exact = in_.uint(1) != 0;
        call.function = static_cast<std::uint32_t>(in_.uint(UINT32_MAX));
        if (!in_.null()) {
            call.rounds = ghost();
        } else {
            call.rounds = {Value::number({state_.fresh(Word::between(0, UINT32_MAX)), 0}), Value::number({state_.fresh(Word::signed_between(-std::int64_t{UINT32_MAX}, 0)), 0})};
        }
        state_.callbacks.push_back(call);
    }

    void held() {
        fields(3);
        Held one{};
        one.call = in_.uint();
        one.bytes = static_cast<std::int64_t>(in_.uint(INT32_MAX));
        one.witness = static_cast<Witness>(in_.uint(UINT32_MAX - 8));
        if (!state_.held.empty() && state_.held.back().call >= one.call) malformed("what is held is not in order");
        state_.next_witness = std::max(state_.next_witness, one.witness + 1);
        state_.held.push_back(one);
    }

    void check() {
        if (state_.saved.size() != chain_.depth) malformed("another number of callers than the chain of calls has");
        state_.each_value([&](const Value& value) {
            if (value.kind == Kind::stack && value.object >= state_.frames.size()) malformed("an address of a frame that is not there");
        });
    }

    Cbor& in_;
    const Chain& chain_;
    const Program& program_;
    State state_;
    std::size_t symbols_ = 0;
};

}  // namespace

State read_state(Cbor& in, const Chains& chains, const Place& place, const Program& program) { return StateReader{in, chains, place, program}.run(); }

}  // namespace unibpf::certificate
