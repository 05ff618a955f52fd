#include "guest/click/elements/file_source.hpp"

#include <utility>

#include "guest/bpf/maps/random.hpp"
#include "guest/graph/router.hpp"

namespace unibpf::click {
namespace {

FileSource& source(Element& element) { return static_cast<FileSource&>(element); }
const FileSource& source(const Element& element) { return static_cast<const FileSource&>(element); }

Status write_active(Element& element, std::string_view value) {
    bool active = false;
    if (!read_word(value, active)) return Error{"handler", "expected `true` or `false`"};
    source(element).set_active(active);
    return done();
}

}  // namespace

const Handler file_source_handlers[] = {
    {"count", [](const Element& e, Text& out) { out.number(source(e).read_so_far()); }},
    {"packets", [](const Element& e, Text& out) { out.number(source(e).read_so_far()); }},
    {"active", [](const Element& e, Text& out) { out.put(source(e).active() ? "true" : "false"); }, write_active},
    {"filename", [](const Element& e, Text& out) { out.put(source(e).file_name()); }},
    {"filepos", [](const Element& e, Text& out) { out.number(static_cast<std::uint64_t>(source(e).position())); }},
    {"encap", [](const Element&, Text& out) { out.put("IP"); }},
    {"stop", nullptr, [](Element& e, std::string_view) { return source(e).stop(), done(); }},
};
const std::size_t file_source_handler_count = std::size(file_source_handlers);

FileSource::~FileSource() {
    if (file_ && file_ != stdin) std::fclose(file_);
}

void FileSource::configure_common(Args& args) {
    std::string_view name;
    if (args.required("FILENAME", name)) name_ = name;
    args.keyword("STOP", stop_);
    args.keyword("TIMING", timing_);
    args.keyword("ACTIVE", active_);
    args.keyword("SAMPLE", sample_);
}

void FileSource::initialize(Environment& environment, Errors& errors) {
    pool_ = environment.pool;
    run_ = environment.run;
    if (!router().timers().add(timer_, *this)) errors.add(place(), "`", this->name(), "`: no memory for a timer");
    file_ = name_ == "-" ? stdin : std::fopen(name_.c_str(), "rb");
    if (!file_) return errors.add(place(), "`", this->name(), "`: ", name_.c_str(), ": No such file or directory");
    open_done(errors);
}

long FileSource::position() const { return file_ ? std::ftell(file_) : 0; }

void FileSource::stop() {
    active_ = false;
    if (run_) run_->stop(*this);
}

void FileSource::end() {
    if (std::exchange(ended_, true)) return;
    if (stop_ && run_) run_->stop(*this);
}

// The next packet whose time has come; null when there is none, now or ever.
PacketPtr FileSource::due() {
    if (!active_ || ended_) return {};
    while (!waiting_) {
        waiting_ = next_packet();
        if (!waiting_) return end(), PacketPtr{};
        if (sample_ < 1 && random::next_u32() >= sample_ * 4294967296.0) waiting_.reset();
    }
    if (timing_) {
        const std::uint64_t now = router().now();
        if (!std::exchange(timed_, true)) offset_ns_ = now - waiting_->arrival_ns;
        const std::uint64_t at = waiting_->arrival_ns + offset_ns_;
        if (at > now && at - now < std::uint64_t{1} << 62) return timer_.schedule_at(at), PacketPtr{};
    }
    ++sent_;
    return std::move(waiting_);
}

bool FileSource::run_task() {
    const bool before = ended_;
    PacketPtr packet = due();
    if (!packet) return ended_ != before;
    Batch batch;
    batch.push_back(std::move(packet));
    count_packets(1);
    output(0).push(std::move(batch));
    return true;
}

void FileSource::pull(unsigned, Batch& batch) {
    PacketPtr packet = due();
    if (packet) count_packets(1), batch.push_back(std::move(packet));
}

}  // namespace unibpf::click
