#include "guest/graph/errors.hpp"

namespace unibpf {

void Errors::add(Place place, std::initializer_list<Part> parts) {
    ++count_;
    if (count_ > most_kept) return;
    Entry& entry = entries_[count_ - 1];
    entry.place = place;
    Text context{entry.context_buffer};
    if (context_) context.put(context_->phase).put(" `").put(context_->element).put(" :: ").put(context_->type).put('`');
    entry.context_place = context_ ? context_->place : place;
    entry.context_length = context.view().size();
    Text text{entry.buffer};
    for (const Part& part : parts) {
        if (part.is_number) text.number(part.number);
        else text.put(part.text);
    }
    entry.length = text.view().size();
}

}  // namespace unibpf
