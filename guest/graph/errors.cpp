#include "guest/graph/errors.hpp"

namespace unibpf {

void Errors::add(Place place, std::initializer_list<Part> parts) {
    ++count_;
    if (count_ > most_kept) return;
    Entry& entry = entries_[count_ - 1];
    entry.place = place;
    Text text{entry.buffer};
    for (const Part& part : parts) {
        if (part.is_number) text.number(part.number);
        else text.put(part.text);
    }
    entry.length = text.view().size();
}

}  // namespace unibpf
