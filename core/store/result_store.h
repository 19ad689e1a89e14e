// SPDX-License-Identifier: Apache-2.0
// Keeps results by what they were made from, in one SQLite file that several processes may share: an interrupted
// computation goes on with what was measured before. The store never stops the work: where its file cannot be used, it
// finds nothing, keeps nothing, and notices() says why. The owner keeps it alive; every function may be called from any
// thread. docs/formats/result_store.md describes the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

struct sqlite3;

namespace equant {

/// All that a result depends on. Results made from equal sources are equal.
struct ResultSource {
    std::string_view kind{};      ///< what the result is, such as "sensitivity-cell"
    std::string model{};          ///< contentHash() of the model that the first step takes
    std::string data{};           ///< Dataset::fingerprint() of every data set that is read, one a line
    std::string preprocessing{};  ///< where the fingerprint does not cover it; may be empty
    std::string steps{};          ///< the steps up to this result with all their options, as text
};

/// The key of a result: 32 hexadecimal digits, a hash of the source and of the engine's version.
[[nodiscard]] std::string resultKey(const ResultSource& source);

struct StoredResult {
    std::string report;   ///< JSON or other bytes
    std::string weights;  ///< resulting weights, where they pay; may be empty
};

struct StoreStats {
    std::int64_t entries = 0;
    std::int64_t bytes = 0;  ///< of the entries; the file is a little larger
    std::filesystem::path path;
};

class ResultStore {
public:
    static constexpr std::int64_t kDefaultBytes = 1'000'000'000;

    /// Finds nothing and keeps nothing.
    ResultStore() = default;
    /// The file is opened, or made with its folder, when it is first needed. The least recently used entries are removed
    /// where all together would exceed `mostBytes`. An empty path: as ResultStore().
    explicit ResultStore(std::filesystem::path path, std::int64_t mostBytes = kDefaultBytes);
    ~ResultStore();
    ResultStore(const ResultStore&) = delete;
    ResultStore& operator=(const ResultStore&) = delete;

    /// EQUANT_CACHE (set but empty: no store, an empty path), else equant/results.sqlite in XDG_CACHE_HOME or ~/.cache.
    [[nodiscard]] static std::filesystem::path defaultPath();

    [[nodiscard]] std::optional<StoredResult> find(const std::string& key);
    /// Replaces an entry of that key. The entry is in the file when this returns: ending the process loses none that was
    /// put before. An entry larger than the bound is not kept.
    void put(const std::string& key, const StoredResult& result);
    /// Io: the file cannot be used, for the reason that notices() tells.
    [[nodiscard]] Result<StoreStats> stats();
    [[nodiscard]] Status clear();

    /// What kept the store from being used, each once, since the last call. ErrorCode::Corrupt: a damaged file was put
    /// aside.
    [[nodiscard]] std::vector<Error> takeNotices();

private:
    struct CloseDatabase {
        void operator()(sqlite3* database) const;
    };
    enum class State { Closed, Open, ReadOnly, Unusable };

    [[nodiscard]] bool open();
    [[nodiscard]] Status openFile();
    [[nodiscard]] Status prepareSchema();
    void handle(int code, const char* action);
    void putAside();
    void giveUp(Error reason);
    [[nodiscard]] int write(const std::string& key, const StoredResult& result);
    [[nodiscard]] Error unusable() const;

    std::filesystem::path m_path;
    std::int64_t m_mostBytes = kDefaultBytes;
    std::mutex m_mutex;
    std::unique_ptr<sqlite3, CloseDatabase> m_database;
    State m_state = State::Closed;
    std::uintmax_t m_fileId = 0;  ///< inode of the file that is open
    int m_timesPutAside = 0;
    std::vector<Error> m_notices;
};

}  // namespace equant
