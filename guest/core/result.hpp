// Result<T>: a value or an Error; TRY passes errors up. No exceptions exist in the guest.
//
// An Error names the rule that was broken (a stable id, listed in schemas/control.cddl) and a static text; `value` carries
// the one number that the text speaks of. Errors are small and trivially copyable: they never own memory.
#pragma once

#include <cstdint>
#include <utility>

namespace unibpf {

struct Error {
    const char* rule = "internal";  // stable id
    const char* text = "";          // one sentence, static storage
    std::uint64_t value = 0;        // the number that was got, if any
};

struct Unit {};

template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : value_{std::move(value)}, ok_{true} {}
    Result(Error error) : error_{error} {}

    explicit operator bool() const { return ok_; }
    bool ok() const { return ok_; }
    T& value() & { return value_; }
    const T& value() const& { return value_; }
    T&& value() && { return std::move(value_); }
    const Error& error() const { return error_; }

  private:
    T value_{};
    Error error_{};
    bool ok_ = false;
};

using Status = Result<Unit>;
inline Status done() { return Unit{}; }

}  // namespace unibpf

// TRY(x): x's value, or return its error. A GNU statement expression, which gcc and clang both have.
#define TRY(expression)                                    \
    ({                                                     \
        auto try_result_ = (expression);                   \
        if (!try_result_.ok()) return try_result_.error(); \
        std::move(try_result_).value();                    \
    })
