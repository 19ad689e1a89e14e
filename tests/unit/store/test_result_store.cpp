// SPDX-License-Identifier: Apache-2.0
// The result store keeps what was put, within its bound, whatever ends the process and whatever is in the file.
#include <QtTest>
#include <csignal>
#include <fcntl.h>
#include <set>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "core/store/result_store.h"
#include "tests/support/registry.h"

namespace test_result_store {

using namespace equant;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const QByteArray& bytes) {
    QFile file(QString::fromStdString(path.string()));
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size()) qFatal("cannot write");
}

QByteArray read(const fs::path& path) {
    QFile file(QString::fromStdString(path.string()));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

std::string keyOf(int number) {
    return resultKey({.kind = "test", .model = std::to_string(number)});
}

/// Writes into the header of a database: `at` 60 is the version of the schema, 68 the id of the application.
void setHeader(const fs::path& path, qint64 at, char lowestByte) {
    QFile file(QString::fromStdString(path.string()));
    if (!file.open(QIODevice::ReadWrite) || !file.seek(at + 3)) qFatal("cannot write");
    file.write(&lowestByte, 1);
}

}  // namespace

class TestResultStore : public QObject {
    Q_OBJECT

private slots:
    void keysTellEverySourceApart();
    void whatWasPutIsFoundAgain();
    void withoutAFileNothingIsKept();
    void theLeastRecentlyUsedGoFirst();
    void twoConnectionsShareAFile();
    void manyThreadsAndProcessesAtOnce();
    void killedProcessesLoseNothingThatWasPut();
    void damagedFilesArePutAside_data();
    void damagedFilesArePutAside();
    void damageWhileOpenIsNoticed();
    void alteredEntriesAreNotFound();
    void otherFilesAreLeftAlone_data();
    void otherFilesAreLeftAlone();
    void placesThatCannotBeWrittenTo();
    void aFullDiskEndsKeepingButNotFinding();
    void clears();
    void theDefaultPlace();

private:
    /// A fresh file name in a folder of the test.
    fs::path fresh() { return fs::path(m_folder.path().toStdString()) / std::to_string(++m_count) / "results.sqlite"; }

    QTemporaryDir m_folder;
    int m_count = 0;
};

void TestResultStore::keysTellEverySourceApart() {
    const ResultSource source{"kind", "model", "data", "preprocessing", "steps"};
    QCOMPARE(resultKey(source), resultKey(source));
    QCOMPARE(resultKey(source).size(), std::size_t{32});
    std::set<std::string> keys{resultKey(source)};
    keys.insert(resultKey({"kind2", "model", "data", "preprocessing", "steps"}));
    keys.insert(resultKey({"kind", "model2", "data", "preprocessing", "steps"}));
    keys.insert(resultKey({"kind", "model", "data2", "preprocessing", "steps"}));
    keys.insert(resultKey({"kind", "model", "data", "preprocessing2", "steps"}));
    keys.insert(resultKey({"kind", "model", "data", "preprocessing", "steps2"}));
    keys.insert(resultKey({"kind", "modeld", "ata", "preprocessing", "steps"}));
    QCOMPARE(keys.size(), std::size_t{7});
}

void TestResultStore::whatWasPutIsFoundAgain() {
    const fs::path path = fresh();
    const StoredResult result{R"({"score": 0.1})", std::string("\0\1\xff", 3)};
    {
        ResultStore store(path);
        QVERIFY(!store.find(keyOf(1)));
        store.put(keyOf(1), result);
        store.put(keyOf(2), {});
        store.put(keyOf(2), {"second", {}});  // replaces
    }
    ResultStore store(path);
    const auto found = store.find(keyOf(1));
    QVERIFY(found.has_value());
    QCOMPARE(found->report, result.report);
    QCOMPARE(found->weights, result.weights);
    QCOMPARE(store.find(keyOf(2))->report, std::string("second"));
    QVERIFY(!store.find(keyOf(3)));
    QCOMPARE(store.stats()->entries, std::int64_t{2});
    QCOMPARE(store.stats()->path, path);
    QVERIFY(store.takeNotices().empty());
}

void TestResultStore::withoutAFileNothingIsKept() {
    ResultStore store;
    store.put(keyOf(1), {"report", {}});
    QVERIFY(!store.find(keyOf(1)));
    QCOMPARE(store.stats()->entries, std::int64_t{0});
    QVERIFY(store.clear().has_value());
    QVERIFY(store.takeNotices().empty());
}

void TestResultStore::theLeastRecentlyUsedGoFirst() {
    ResultStore store(fresh(), 10'000);
    const std::string kilobytes(2000, 'x');
    for (int i = 0; i < 4; ++i) store.put(keyOf(i), {kilobytes, {}});
    QVERIFY(store.find(keyOf(0)).has_value());  // used: 1 is the oldest now
    store.put(keyOf(4), {kilobytes, {}});
    QVERIFY(store.find(keyOf(0)).has_value());
    QVERIFY(!store.find(keyOf(1)).has_value());
    for (const int kept : {2, 3, 4}) QVERIFY(store.find(keyOf(kept)).has_value());
    QVERIFY(store.stats()->bytes <= 10'000);
    store.put(keyOf(5), {std::string(10'001, 'x'), {}});  // larger than the bound: the others stay
    QVERIFY(!store.find(keyOf(5)).has_value());
    QCOMPARE(store.stats()->entries, std::int64_t{4});
}

void TestResultStore::twoConnectionsShareAFile() {
    const fs::path path = fresh();
    ResultStore one(path), two(path);
    one.put(keyOf(1), {"from one", {}});
    QCOMPARE(two.find(keyOf(1))->report, std::string("from one"));
    two.put(keyOf(2), {"from two", {}});
    QCOMPARE(one.find(keyOf(2))->report, std::string("from two"));
}

void TestResultStore::manyThreadsAndProcessesAtOnce() {
    const fs::path path = fresh();
    constexpr int kProcesses = 3, kThreads = 3, kEntries = 20;
    std::vector<pid_t> children;
    for (int process = 0; process < kProcesses; ++process) {
        const pid_t child = ::fork();
        if (child == 0) {
            ResultStore store(path);
            {
                std::vector<std::jthread> threads;
                for (int thread = 0; thread < kThreads; ++thread)
                    threads.emplace_back([&, thread] {
                        for (int i = 0; i < kEntries; ++i)
                            store.put(keyOf((process * kThreads + thread) * kEntries + i), {std::to_string(i), {}});
                    });
            }
            ::_exit(static_cast<int>(store.takeNotices().size()));
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 1;
        QCOMPARE(::waitpid(child, &status, 0), child);
        QCOMPARE(status, 0);
    }
    ResultStore store(path);
    QCOMPARE(store.stats()->entries, std::int64_t{kProcesses * kThreads * kEntries});
}

void TestResultStore::killedProcessesLoseNothingThatWasPut() {
    const fs::path path = fresh();
    for (int round = 0; round < 5; ++round) {
        int pipes[2];
        QVERIFY(::pipe(pipes) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            ResultStore store(path);
            for (int i = 0;; ++i) {
                store.put(keyOf(round * 1'000'000 + i), {std::string(5000, 'x') + std::to_string(i), {}});
                if (::write(pipes[1], &i, sizeof i) != sizeof i) ::_exit(1);
            }
        }
        ::close(pipes[1]);
        // Killed while it writes, after it has said that some are in the file.
        int last = -1;
        while (last < 10 + round * 3)
            if (::read(pipes[0], &last, sizeof last) != sizeof last) break;
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        for (int next = last; ::read(pipes[0], &next, sizeof next) == sizeof next;) last = next;
        ::close(pipes[0]);
        QVERIFY(last >= 10);
        ResultStore store(path);
        for (int i = 0; i <= last; ++i) {
            const auto found = store.find(keyOf(round * 1'000'000 + i));
            QVERIFY2(found.has_value(), qPrintable(QString::number(i)));
            QCOMPARE(found->report, std::string(5000, 'x') + std::to_string(i));
        }
        QVERIFY(store.takeNotices().empty());
    }
}

void TestResultStore::damagedFilesArePutAside_data() {
    QTest::addColumn<QByteArray>("contents");
    QTest::newRow("text") << QByteArray("these are no results\n").repeated(300);
    QTest::newRow("header only") << QByteArray("SQLite format 3\0", 16) + QByteArray(4000, '\x7f');
}

void TestResultStore::damagedFilesArePutAside() {
    QFETCH(QByteArray, contents);
    const fs::path path = fresh();
    fs::create_directories(path.parent_path());
    for (int time = 1; time <= 2; ++time) {
        write(path, contents);
        fs::remove(path.string() + "-wal");
        ResultStore store(path);
        store.put(keyOf(1), {"report", {}});
        QCOMPARE(store.find(keyOf(1))->report, std::string("report"));
        const auto notices = store.takeNotices();
        QCOMPARE(notices.size(), std::size_t{1});
        QCOMPARE(notices[0].code, ErrorCode::Corrupt);
        QVERIFY(notices[0].message.find("results.sqlite.damaged-" + std::to_string(time)) != std::string::npos);
        QCOMPARE(read(path.string() + ".damaged-" + std::to_string(time)), contents);
    }
}

void TestResultStore::damageWhileOpenIsNoticed() {
    const fs::path path = fresh();
    {
        ResultStore store(path);
        for (int i = 0; i < 200; ++i) store.put(keyOf(i), {std::string(3000, 'x'), {}});
    }
    // All but the first page, where the header and the schema are.
    QByteArray bytes = read(path);
    QVERIFY(bytes.size() > 100'000);
    for (qsizetype i = 4096; i < bytes.size(); ++i) bytes[i] = '\x5a';
    write(path, bytes);
    ResultStore store(path);
    QVERIFY(!store.find(keyOf(7)).has_value());
    store.put(keyOf(7), {"again", {}});
    QCOMPARE(store.find(keyOf(7))->report, std::string("again"));
    QCOMPARE(store.takeNotices().size(), std::size_t{1});
    QVERIFY(fs::exists(path.string() + ".damaged-1"));
}

void TestResultStore::alteredEntriesAreNotFound() {
    const fs::path path = fresh();
    {
        ResultStore store(path);
        store.put(keyOf(1), {std::string(100, 'q'), {}});
    }
    QByteArray bytes = read(path);
    const qsizetype at = bytes.indexOf(QByteArray(100, 'q'));
    QVERIFY(at > 0);
    bytes[at + 50] = 'p';
    write(path, bytes);
    ResultStore store(path);
    QVERIFY(!store.find(keyOf(1)).has_value());
    QCOMPARE(store.stats()->entries, std::int64_t{0});
}

void TestResultStore::otherFilesAreLeftAlone_data() {
    QTest::addColumn<int>("at");
    QTest::newRow("a newer schema") << 60;
    QTest::newRow("another program's database") << 68;
}

void TestResultStore::otherFilesAreLeftAlone() {
    QFETCH(int, at);
    const fs::path path = fresh();
    {
        ResultStore store(path);
        store.put(keyOf(1), {"report", {}});
    }
    setHeader(path, at, 99);
    const QByteArray before = read(path);
    ResultStore store(path);
    QVERIFY(!store.find(keyOf(1)).has_value());
    store.put(keyOf(2), {"report", {}});
    QVERIFY(!store.find(keyOf(2)).has_value());
    QVERIFY(!store.clear().has_value());
    const auto notices = store.takeNotices();
    QCOMPARE(notices.size(), std::size_t{1});
    QCOMPARE(notices[0].code, ErrorCode::Unsupported);
    QCOMPARE(read(path), before);
}

void TestResultStore::placesThatCannotBeWrittenTo() {
    // A folder where the file should be, a file where its folder should be.
    const fs::path folder = fresh();
    fs::create_directories(folder);
    write(folder.parent_path() / "file", "x");
    for (const fs::path& path : {folder, folder.parent_path() / "file" / "results.sqlite"}) {
        ResultStore store(path);
        store.put(keyOf(1), {"report", {}});
        QVERIFY(!store.find(keyOf(1)).has_value());
        QVERIFY(!store.stats().has_value());
        const auto notices = store.takeNotices();
        QCOMPARE(notices.size(), std::size_t{1});
        QCOMPARE(notices[0].code, ErrorCode::Io);
        QCOMPARE(notices[0].subject, path.string());
    }
}

void TestResultStore::aFullDiskEndsKeepingButNotFinding() {
    const fs::path path = fresh();
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        ResultStore store(path);
        store.put(keyOf(0), {"first", {}});
        const rlimit limit{1 << 18, 1 << 18};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        for (int i = 1; i < 100; ++i) store.put(keyOf(i), {std::string(10'000, 'x'), {}});
        const auto notices = store.takeNotices();
        const bool isTold = notices.size() == 1 && notices[0].code == ErrorCode::Io;
        ::_exit(isTold && store.find(keyOf(0)) && !store.find(keyOf(99)) ? 0 : 1);
    }
    int status = 1;
    QCOMPARE(::waitpid(child, &status, 0), child);
    QCOMPARE(status, 0);
    ResultStore store(path);
    QCOMPARE(store.find(keyOf(0))->report, std::string("first"));
    QVERIFY(store.takeNotices().empty());
}

void TestResultStore::clears() {
    const fs::path path = fresh();
    ResultStore store(path);
    for (int i = 0; i < 100; ++i) store.put(keyOf(i), {std::string(10'000, 'x'), {}});
    QVERIFY(store.clear().has_value());
    QCOMPARE(store.stats()->entries, std::int64_t{0});
    QVERIFY(!store.find(keyOf(1)).has_value());
    store.put(keyOf(1), {"again", {}});
    QVERIFY(store.find(keyOf(1)).has_value());
}

void TestResultStore::theDefaultPlace() {
    const QByteArray before = qgetenv("EQUANT_CACHE");
    qputenv("EQUANT_CACHE", "/somewhere/file");
    QCOMPARE(ResultStore::defaultPath(), fs::path("/somewhere/file"));
    qputenv("EQUANT_CACHE", "");
    QCOMPARE(ResultStore::defaultPath(), fs::path());
    qunsetenv("EQUANT_CACHE");
    const QByteArray cache = qgetenv("XDG_CACHE_HOME");
    qputenv("XDG_CACHE_HOME", "/caches");
    QCOMPARE(ResultStore::defaultPath(), fs::path("/caches/equant/results.sqlite"));
    qputenv("XDG_CACHE_HOME", cache);
    qputenv("EQUANT_CACHE", before);
}

EQUANT_TEST(TestResultStore)
}  // namespace test_result_store

#include "test_result_store.moc"
