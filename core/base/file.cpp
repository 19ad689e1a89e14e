// SPDX-License-Identifier: Apache-2.0
#include "core/base/file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <random>
#include <unistd.h>

namespace equant {

namespace fs = std::filesystem;

namespace {

tl::unexpected<Error> writeFailed(const fs::path& path, int errorNumber) {
    std::string hint = "Check the folder's permissions or choose another place.";
    if (errorNumber == ENOSPC || errorNumber == EDQUOT || errorNumber == EFBIG)
        hint = "Free some space or choose another disk.";
    if (errorNumber == ENOENT) hint = "Create the folder first or choose another place.";
    return fail(ErrorCode::Io, fmt::format("The file could not be written ({}).", std::strerror(errorNumber)), hint,
                path.string());
}

/// Removes the file when it goes, unless it was kept.
class TemporaryFile {
public:
    explicit TemporaryFile(fs::path path) : m_path(std::move(path)) {}
    ~TemporaryFile() {
        std::error_code ignored;
        if (!m_isKept) fs::remove(m_path, ignored);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] const fs::path& path() const { return m_path; }
    void keep() { m_isKept = true; }

private:
    fs::path m_path;
    bool m_isKept = false;
};

/// Where a symbolic link leads, whether or not something is there yet; `path` itself when it is none.
fs::path withoutLinks(const fs::path& path) {
    constexpr int kMostLinks = 40;  // as Linux
    fs::path target = path;
    std::error_code error;
    for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(target, error)); ++i) {
        const fs::path next = fs::read_symlink(target, error);
        if (error) break;
        target = target.parent_path() / next;  // an absolute one replaces all
    }
    return target;
}

int syncFile(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    const int failure = ::fsync(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    return failure;
}

}  // namespace

Result<std::string> readFile(const fs::path& path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored))
        return fail(ErrorCode::Io, "This is a folder, not a file.", "Name a file inside it.", path.string());
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        const int why = errno;
        if (why == ENOENT || !fs::exists(path, ignored))
            return fail(ErrorCode::NotFound, "There is no such file.", "Check the path.", path.string());
        return fail(ErrorCode::Io, fmt::format("The file could not be opened ({}).", std::strerror(why)),
                    "Check its permissions.", path.string());
    }
    std::string bytes;
    const auto size = fs::file_size(path, ignored);
    if (!ignored) bytes.reserve(size);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
    if (in.bad()) return fail(ErrorCode::Io, "The file could not be read to its end.", {}, path.string());
    return bytes;
}

Status writeFileAtomic(const fs::path& path, std::string_view bytes) {
    return writeFileAtomic(
        path, [&](std::ostream& out) { out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())); });
}

namespace {

/// A device or a pipe is written to: renaming a file over it would replace it.
Status writeInto(const fs::path& path, const std::function<void(std::ostream&)>& write) {
    errno = 0;
    std::ofstream out(path, std::ios::binary);
    if (out) write(out);
    out.close();
    if (!out) return writeFailed(path, errno ? errno : EIO);
    return {};
}

}  // namespace

Status writeFileAtomic(const fs::path& path, const std::function<void(std::ostream&)>& write) {
    static thread_local std::mt19937_64 random{std::random_device{}()};
    std::error_code error;
    if (fs::is_directory(path, error))
        return fail(ErrorCode::Io, "There is a folder of that name.", "Choose another file name.", path.string());
    if (fs::is_other(path, error)) return writeInto(path, write);
    const fs::path target = withoutLinks(path);
    fs::path beside = target;
    beside += fmt::format(".{:08x}.part", static_cast<unsigned>(random()));

    errno = 0;
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    if (!out) return writeFailed(path, errno ? errno : EIO);
    TemporaryFile temporary(std::move(beside));
    write(out);
    out.flush();
    const bool good = out.good();
    const int why = errno ? errno : EIO;
    out.close();
    const int syncFailure = good && out.good() ? syncFile(temporary.path()) : why;
    if (syncFailure != 0) return writeFailed(path, syncFailure);
    fs::rename(temporary.path(), target, error);
    if (error) return writeFailed(path, error.value());
    temporary.keep();
    return {};
}

}  // namespace equant
