// SPDX-License-Identifier: Apache-2.0
// Writing where it cannot succeed: the old file stays whole, no temporary file stays behind, and the message says why.
#include <QTemporaryDir>
#include <QTest>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/data/npy.h"
#include "core/graph/onnx_io.h"
#include "tests/support/registry.h"
#include "tests/unit/support/model_builder.h"

namespace test_file_faults {

using namespace equant;
namespace fs = std::filesystem;

namespace {

/// No file may grow beyond `bytes` while it lives: what a full disk does to a writer.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) {
        m_signal = std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &m_before);
        const rlimit limit{bytes, m_before.rlim_max};
        m_isSet = setrlimit(RLIMIT_FSIZE, &limit) == 0;
    }
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &m_before);
        std::signal(SIGXFSZ, m_signal);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    [[nodiscard]] bool isSet() const { return m_isSet; }

private:
    rlimit m_before{};
    void (*m_signal)(int) = nullptr;
    bool m_isSet = false;
};

std::size_t entriesIn(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

class TestFileFaults : public QObject {
    Q_OBJECT

private slots:
    void init() {
        m_folder = std::make_unique<QTemporaryDir>();
        QVERIFY(m_folder->isValid());
        m_path = fs::path(m_folder->path().toStdString()) / "model.onnx";
        QVERIFY(writeFileAtomic(m_path, "old"));
    }

    void aFullDiskKeepsTheOldFile() {
        Status written;
        {
            const FileSizeLimit limit(4096);
            QVERIFY(limit.isSet());
            written = writeFileAtomic(m_path, std::string(1 << 20, 'x'));
        }
        QVERIFY(!written);
        QCOMPARE(written.error().code, ErrorCode::Io);
        QVERIFY(!written.error().message.empty());
        QCOMPARE(written.error().subject, m_path.string());
        QCOMPARE(*readFile(m_path), std::string("old"));
        QCOMPARE(entriesIn(m_path.parent_path()), std::size_t{1});
        QVERIFY(writeFileAtomic(m_path, "new"));  // and there is room again
        QCOMPARE(*readFile(m_path), std::string("new"));
    }

    void aFullDiskInTheMiddleOfAStream() {
        Status written;
        {
            const FileSizeLimit limit(100'000);
            written = writeFileAtomic(m_path, [](std::ostream& out) {
                for (int i = 0; i < 1000; ++i) out << std::string(1000, 'y');
            });
        }
        QVERIFY(!written);
        QCOMPARE(*readFile(m_path), std::string("old"));
        QCOMPARE(entriesIn(m_path.parent_path()), std::size_t{1});
    }

    void aModelThatDoesNotFit() {
        const Model model = test::ModelBuilder()
                                .input("x", {1, 64})
                                .output("y")
                                .constant("w", test::randomTensor({64, 64}, 1))
                                .node("MatMul", {"x", "w"}, {"y"})
                                .build();
        for (const auto external : {ExternalData::Auto, ExternalData::Always}) {
            Status written;
            {
                const FileSizeLimit limit(8000);
                written = writeOnnx(model, m_path, external);
            }
            QVERIFY(!written);
            QCOMPARE(*readFile(m_path), std::string("old"));
            QCOMPARE(entriesIn(m_path.parent_path()), std::size_t{1});
        }
        Status written;
        {
            const FileSizeLimit limit(8000);
            written = writeNpy(test::randomTensor({64, 64}, 2), m_path);
        }
        QVERIFY(!written);
        QCOMPARE(*readFile(m_path), std::string("old"));
    }

    void aWriterThatThrowsLeavesNothing() {
        const auto write = [&] {
            return writeFileAtomic(m_path, [](std::ostream& out) {
                out << "half";
                throw std::runtime_error("stop");
            });
        };
        QVERIFY_EXCEPTION_THROWN(static_cast<void>(write()), std::runtime_error);
        QCOMPARE(*readFile(m_path), std::string("old"));
        QCOMPARE(entriesIn(m_path.parent_path()), std::size_t{1});
    }

    void aMissingFolder() {
        const fs::path path = m_path.parent_path() / "missing" / "model.onnx";
        const auto written = writeFileAtomic(path, "new");
        QVERIFY(!written);
        QCOMPARE(written.error().code, ErrorCode::Io);
        QVERIFY(written.error().hint.find("folder") != std::string::npos);
        QVERIFY(!fs::exists(path.parent_path()));
    }

    void aFileInPlaceOfTheFolder() {
        const auto written = writeFileAtomic(m_path / "model.onnx", "new");
        QVERIFY(!written);
        QCOMPARE(*readFile(m_path), std::string("old"));
    }

    void aFolderInPlaceOfTheFile() {
        const fs::path path = m_path.parent_path() / "folder";
        fs::create_directory(path);
        const auto written = writeFileAtomic(path, "new");
        QVERIFY(!written);
        QCOMPARE(written.error().code, ErrorCode::Io);
        QVERIFY(fs::is_directory(path));
        QCOMPARE(entriesIn(path), std::size_t{0});
        QCOMPARE(entriesIn(path.parent_path()), std::size_t{2});
        QVERIFY(!readFile(path));
    }

    void aPipeInPlaceOfTheFile() {
        // Renaming a file over it would cut off who waits at it.
        const fs::path path = m_path.parent_path() / "pipe";
        QCOMPARE(mkfifo(path.c_str(), 0600), 0);
        const int reader = ::open(path.c_str(), O_RDWR | O_NONBLOCK);
        QVERIFY(reader >= 0);
        QVERIFY(writeFileAtomic(path, "new"));
        char received[8] = {};
        QCOMPARE(::read(reader, received, sizeof(received)), ssize_t{3});
        ::close(reader);
        QCOMPARE(std::string(received), std::string("new"));
        QVERIFY(fs::is_fifo(path));
        QCOMPARE(entriesIn(path.parent_path()), std::size_t{2});
    }

    void aDeviceIsNotReplaced() {
        const auto written = writeFileAtomic("/dev/full", "new");
        QVERIFY(!written);
        QVERIFY(fs::is_character_file("/dev/full"));
    }

    void aLinkStaysALink() {
        const fs::path link = m_path.parent_path() / "link.onnx";
        fs::create_symlink(m_path, link);
        QVERIFY(writeFileAtomic(link, "new"));
        QVERIFY(fs::is_symlink(link));
        QCOMPARE(*readFile(m_path), std::string("new"));
        // One that leads nowhere yet makes its target.
        const fs::path dangling = m_path.parent_path() / "dangling.onnx";
        fs::create_symlink(m_path.parent_path() / "later.onnx", dangling);
        QVERIFY(writeFileAtomic(dangling, "later"));
        QVERIFY(fs::is_symlink(dangling));
        QCOMPARE(*readFile(m_path.parent_path() / "later.onnx"), std::string("later"));
    }

    void aFolderWithoutPermission() {
        if (geteuid() == 0) QSKIP("The superuser may write everywhere.");
        fs::permissions(m_path.parent_path(), fs::perms::owner_read | fs::perms::owner_exec);
        const auto written = writeFileAtomic(m_path, "new");
        fs::permissions(m_path.parent_path(), fs::perms::owner_all);
        QVERIFY(!written);
        QCOMPARE(*readFile(m_path), std::string("old"));
        QCOMPARE(entriesIn(m_path.parent_path()), std::size_t{1});
    }

private:
    std::unique_ptr<QTemporaryDir> m_folder;
    fs::path m_path;
};

EQUANT_TEST(TestFileFaults)
}  // namespace test_file_faults

#include "test_file_faults.moc"
