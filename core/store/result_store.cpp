// SPDX-License-Identifier: Apache-2.0
#include "core/store/result_store.h"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <utility>

#include "core/base/hash.h"

namespace equant {

namespace fs = std::filesystem;

namespace {

/// Raise it with every change that alters results while the version of the engine stays.
constexpr std::int64_t kResultsRevision = 1;
constexpr int kSchemaVersion = 1;
constexpr int kApplicationId = 0x45515253;  // "EQRS"
constexpr int kBusyMilliseconds = 5000;
/// What an entry takes beside its contents: key, checksum, index.
constexpr std::int64_t kEntryBytes = 160;
/// A file that is damaged again and again is a matter of the disk.
constexpr int kMostTimesPutAside = 3;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS results(key TEXT PRIMARY KEY, report BLOB NOT NULL, weights BLOB NOT NULL,"
    " checksum TEXT NOT NULL, bytes INTEGER NOT NULL, used INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS results_used ON results(used, bytes);";

/// A prepared statement; what is bound must outlive step().
class Statement {
public:
    Statement(sqlite3* database, const char* sql) {
        m_code = sqlite3_prepare_v2(database, sql, -1, &m_statement, nullptr);
    }
    ~Statement() { sqlite3_finalize(m_statement); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    void bindText(int at, std::string_view text) {
        note(sqlite3_bind_text64(m_statement, at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
    }
    void bindBytes(int at, std::string_view bytes) {
        const char* data = bytes.empty() ? "" : bytes.data();  // a null pointer would mean NULL
        note(sqlite3_bind_blob64(m_statement, at, data, bytes.size(), SQLITE_STATIC));
    }
    void bindNumber(int at, std::int64_t number) { note(sqlite3_bind_int64(m_statement, at, number)); }

    /// SQLITE_ROW, SQLITE_DONE or an error.
    int step() { return m_code == SQLITE_OK ? sqlite3_step(m_statement) : m_code; }
    [[nodiscard]] std::string bytes(int column) const {
        const void* data = sqlite3_column_blob(m_statement, column);
        const int size = sqlite3_column_bytes(m_statement, column);
        return data ? std::string(static_cast<const char*>(data), static_cast<std::size_t>(size)) : std::string();
    }
    [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(m_statement, column); }

private:
    void note(int code) {
        if (m_code == SQLITE_OK) m_code = code;
    }

    sqlite3_stmt* m_statement = nullptr;
    int m_code = SQLITE_OK;
};

int execute(sqlite3* database, const char* sql) {
    return sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
}

/// The number that a query answers with.
int readNumber(sqlite3* database, const char* sql, std::int64_t& value) {
    Statement statement(database, sql);
    const int code = statement.step();
    if (code != SQLITE_ROW) return code == SQLITE_DONE ? SQLITE_CORRUPT : code;
    value = statement.number(0);
    return SQLITE_OK;
}

bool isDamage(int code) {
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

std::string checksum(const StoredResult& result) {
    return Hasher().add(std::string_view(result.report)).add(std::string_view(result.weights)).hex();
}

std::uintmax_t fileId(const fs::path& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

fs::path withSuffix(fs::path path, const std::string& suffix) {
    path += suffix;
    return path;
}

}  // namespace

std::string resultKey(const ResultSource& source) {
    Hasher hash;
    hash.add(std::string_view(EQUANT_VERSION)).add(kResultsRevision).add(source.kind);
    for (const std::string* part : {&source.model, &source.data, &source.preprocessing, &source.steps})
        hash.add(std::string_view(*part));
    return hash.hex();
}

void ResultStore::CloseDatabase::operator()(sqlite3* database) const {
    sqlite3_close_v2(database);
}

ResultStore::ResultStore(fs::path path, std::int64_t mostBytes) : m_path(std::move(path)), m_mostBytes(mostBytes) {}

ResultStore::~ResultStore() = default;

fs::path ResultStore::defaultPath() {
    if (const char* path = std::getenv("EQUANT_CACHE")) return path;
    const char* cache = std::getenv("XDG_CACHE_HOME");
    if (cache && fs::path(cache).is_absolute()) return fs::path(cache) / "equant" / "results.sqlite";
    const char* home = std::getenv("HOME");
    return home && *home ? fs::path(home) / ".cache" / "equant" / "results.sqlite" : fs::path();
}

bool ResultStore::open() {
    if (m_path.empty()) return false;
    while (m_state == State::Closed)
        if (const auto opened = openFile(); !opened) {
            if (opened.error().code == ErrorCode::Corrupt)
                putAside();
            else
                giveUp(opened.error());
        } else {
            m_state = State::Open;
        }
    return m_state != State::Unusable;
}

Status ResultStore::openFile() {
    std::error_code ignored;
    if (m_path.has_parent_path()) fs::create_directories(m_path.parent_path(), ignored);
    sqlite3* database = nullptr;
    int code = sqlite3_open_v2(m_path.c_str(), &database,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    m_database.reset(database);
    if (code == SQLITE_OK) {
        m_fileId = fileId(m_path);
        sqlite3_busy_timeout(database, kBusyMilliseconds);
        return prepareSchema();
    }
    return fail(ErrorCode::Io,
                fmt::format("Results are not kept: the file cannot be opened ({}).", sqlite3_errstr(code)),
                "Set EQUANT_CACHE to a place that can be written to.", m_path.string());
}

Status ResultStore::prepareSchema() {
    sqlite3* database = m_database.get();
    std::int64_t version = 0, application = 0, tables = 0;
    int code = readNumber(database, "PRAGMA user_version", version);
    if (code == SQLITE_OK) code = readNumber(database, "PRAGMA application_id", application);
    if (code == SQLITE_OK) code = readNumber(database, "SELECT COUNT(*) FROM sqlite_master", tables);
    if (code == SQLITE_OK && tables > 0 && application != kApplicationId)
        return fail(ErrorCode::Unsupported, "Results are not kept: the file is a database of another program.",
                    "Set EQUANT_CACHE to another file.", m_path.string());
    if (code == SQLITE_OK && version > kSchemaVersion)
        return fail(ErrorCode::Unsupported, "Results are not kept: the file was made by a newer version of Equant.",
                    "Set EQUANT_CACHE to another file.", m_path.string());
    // Without write-ahead logging, readers and writers would wait for each other.
    if (code == SQLITE_OK)
        code = execute(database, "PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
    if (code == SQLITE_OK && version < kSchemaVersion) {
        const auto prepare = fmt::format("BEGIN IMMEDIATE; PRAGMA application_id={}; {} PRAGMA user_version={}; COMMIT",
                                         kApplicationId, kSchema, kSchemaVersion);
        code = execute(database, prepare.c_str());
    }
    if (code == SQLITE_OK) return {};
    return fail(isDamage(code) ? ErrorCode::Corrupt : ErrorCode::Io,
                fmt::format("Results are not kept: the file cannot be used ({}).", sqlite3_errstr(code)),
                "Set EQUANT_CACHE to a place that can be written to.", m_path.string());
}

void ResultStore::giveUp(Error reason) {
    m_database.reset();
    m_state = State::Unusable;
    m_notices.push_back(std::move(reason));
}

void ResultStore::putAside() {
    m_database.reset();
    m_state = State::Closed;
    if (fileId(m_path) != m_fileId) return;  // another process has done it
    if (++m_timesPutAside > kMostTimesPutAside)
        return giveUp({ErrorCode::Corrupt, "Results are not kept: the file is damaged again and again.",
                       "Set EQUANT_CACHE to another disk.", m_path.string()});
    std::error_code error;
    fs::path aside;
    for (int number = 1; aside.empty() || fs::exists(aside, error); ++number)
        aside = withSuffix(m_path, fmt::format(".damaged-{}", number));
    fs::rename(m_path, aside, error);
    if (error)
        return giveUp({ErrorCode::Corrupt, "Results are not kept: the file is damaged and cannot be renamed.",
                       "Remove it.", m_path.string()});
    // A log that stayed would be replayed into the new file.
    std::error_code ignored;
    fs::rename(withSuffix(m_path, "-wal"), withSuffix(aside, "-wal"), ignored);
    fs::remove(withSuffix(m_path, "-shm"), ignored);
    m_notices.push_back({ErrorCode::Corrupt,
                         fmt::format("The stored results were damaged; the file is now {}.", aside.filename().string()),
                         "What is missing is computed again.", m_path.string()});
}

void ResultStore::handle(int code, const char* action) {
    if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) return;  // this one entry is not kept
    if (isDamage(code)) return putAside();
    m_state = State::ReadOnly;
    m_notices.push_back({ErrorCode::Io,
                         fmt::format("Results are not kept any more: {} failed ({}).", action, sqlite3_errstr(code)),
                         "Free some space, or set EQUANT_CACHE to another place.", m_path.string()});
}

std::optional<StoredResult> ResultStore::find(const std::string& key) {
    const std::scoped_lock lock(m_mutex);
    if (!open()) return std::nullopt;
    StoredResult found;
    std::string expected;
    {
        Statement select(m_database.get(), "SELECT report, weights, checksum FROM results WHERE key = ?");
        select.bindText(1, key);
        const int code = select.step();
        if (code != SQLITE_ROW) {
            if (isDamage(code)) putAside();
            return std::nullopt;
        }
        found = {select.bytes(0), select.bytes(1)};
        expected = select.bytes(2);
    }
    const bool isWhole = checksum(found) == expected;
    if (m_state == State::Open) {
        // The largest number is the last use; that it cannot be written is no reason not to answer.
        Statement touch(m_database.get(),
                        isWhole ? "UPDATE results SET used = (SELECT MAX(used) + 1 FROM results) WHERE key = ?1"
                                : "DELETE FROM results WHERE key = ?1");
        touch.bindText(1, key);
        touch.step();
    }
    if (!isWhole) return std::nullopt;
    return found;
}

int ResultStore::write(const std::string& key, const StoredResult& result) {
    sqlite3* database = m_database.get();
    const auto bytes = static_cast<std::int64_t>(result.report.size() + result.weights.size()) + kEntryBytes;
    const std::string sum = checksum(result);
    if (const int code = execute(database, "BEGIN IMMEDIATE"); code != SQLITE_OK) return code;
    Statement insert(database,
                     "INSERT OR REPLACE INTO results(key, report, weights, checksum, bytes, used)"
                     " VALUES(?, ?, ?, ?, ?, (SELECT IFNULL(MAX(used), 0) + 1 FROM results))");
    insert.bindText(1, key);
    insert.bindBytes(2, result.report);
    insert.bindBytes(3, result.weights);
    insert.bindText(4, sum);
    insert.bindNumber(5, bytes);
    if (const int code = insert.step(); code != SQLITE_DONE) return code;
    std::int64_t total = 0;
    if (const int code = readNumber(database, "SELECT SUM(bytes) FROM results", total); code != SQLITE_OK) return code;
    if (total > m_mostBytes) {
        Statement remove(database,
                         "DELETE FROM results WHERE key IN (SELECT key FROM (SELECT key, SUM(bytes) OVER (ORDER BY used"
                         " DESC) AS kept FROM results) WHERE kept > ?)");
        remove.bindNumber(1, m_mostBytes);
        if (const int code = remove.step(); code != SQLITE_DONE) return code;
    }
    return execute(database, "COMMIT");
}

void ResultStore::put(const std::string& key, const StoredResult& result) {
    const std::scoped_lock lock(m_mutex);
    const auto bytes = static_cast<std::int64_t>(result.report.size() + result.weights.size()) + kEntryBytes;
    if (bytes > m_mostBytes || !open() || m_state != State::Open) return;
    const int code = write(key, result);
    if (code == SQLITE_OK) return;
    if (!sqlite3_get_autocommit(m_database.get())) execute(m_database.get(), "ROLLBACK");
    handle(code, "writing");
}

Error ResultStore::unusable() const {
    return m_notices.empty() ? Error{ErrorCode::Io, "The stored results cannot be used.", {}, m_path.string()}
                             : m_notices.back();
}

Result<StoreStats> ResultStore::stats() {
    const std::scoped_lock lock(m_mutex);
    if (m_path.empty()) return StoreStats{};
    if (!open()) return fail(unusable());
    StoreStats stats;
    stats.path = m_path;
    int code = readNumber(m_database.get(), "SELECT COUNT(*) FROM results", stats.entries);
    if (code == SQLITE_OK)
        code = readNumber(m_database.get(), "SELECT IFNULL(SUM(bytes), 0) FROM results", stats.bytes);
    if (code == SQLITE_OK) return stats;
    handle(code, "reading");
    return fail(unusable());
}

Status ResultStore::clear() {
    const std::scoped_lock lock(m_mutex);
    if (m_path.empty()) return {};
    if (!open()) return fail(unusable());
    const int code = execute(m_database.get(), "DELETE FROM results");
    if (code == SQLITE_OK) return {};
    if ((code & 0xff) == SQLITE_BUSY)
        return fail(ErrorCode::Io, "Another process writes to the stored results.", "Try again.", m_path.string());
    handle(code, "clearing");
    return fail(unusable());
}

std::vector<Error> ResultStore::takeNotices() {
    const std::scoped_lock lock(m_mutex);
    return std::exchange(m_notices, {});
}

}  // namespace equant
