// SPDX-License-Identifier: Apache-2.0
// How functions of the engine fail: a Result is a value or an Error that a user can act on.
// No exception crosses a public border of core; adapters to third-party code catch and translate.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace equant {

enum class ErrorCode {
    NotFound,
    Unsupported,
    Corrupt,
    InvalidArgument,
    OutOfRange,
    Cancelled,
    OutOfMemory,
    Io,
    Internal
};

/// What went wrong, in the user's terms.
struct [[nodiscard]] Error {
    ErrorCode code = ErrorCode::Internal;
    std::string message;  ///< what happened, one sentence
    std::string hint;     ///< what to try next; may be empty
    std::string subject;  ///< the file, layer, tensor or option concerned; may be empty
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

/// `return fail(ErrorCode::NotFound, "...", "...", path);`
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {},
                                                std::string subject = {}) {
    return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint), std::move(subject)});
}

/// Passes another function's failure on: `if (!x) return fail(x.error());`
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

[[nodiscard]] inline tl::unexpected<Error> cancelled() {
    return fail(ErrorCode::Cancelled, "The job was cancelled.");
}

/// "subject: message hint" on one line, as the console prints it.
[[nodiscard]] std::string describe(const Error& error);

}  // namespace equant
