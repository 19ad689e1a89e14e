// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <atomic>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "core/base/hash.h"
#include "core/base/parallel.h"
#include "core/base/result.h"

using namespace equant;

class TestParallel : public QObject {
    Q_OBJECT

private slots:
    void everyIndexOnce_data() {
        QTest::addColumn<unsigned>("threads");
        for (const unsigned threads : {1U, 2U, 7U}) QTest::addRow("%u threads", threads) << threads;
    }
    void everyIndexOnce() {
        QFETCH(unsigned, threads);
        std::vector<std::atomic<int>> visits(1000);
        std::atomic<bool> areSlotsValid{true};
        parallelFor(visits.size(), threads, {}, [&](unsigned worker, std::size_t index) {
            ++visits[index];
            if (worker >= threads) areSlotsValid = false;
        });
        for (const auto& count : visits) QCOMPARE(count.load(), 1);
        QVERIFY(areSlotsValid);
    }

    void nothingToDo() {
        parallelFor(0, 4, {}, [](unsigned, std::size_t) { QFAIL("called"); });
    }

    void stopsHandingOut() {
        std::stop_source stop;
        std::atomic<int> done{0};
        parallelFor(1000, 2, stop.get_token(), [&](unsigned, std::size_t) {
            if (++done == 10) stop.request_stop();
        });
        QVERIFY(done < 1000);
    }

    void exceptionsComeBack() {
        try {
            parallelFor(100, 3, {}, [](unsigned, std::size_t index) {
                if (index == 42) throw std::runtime_error("forty-two");
            });
            QFAIL("nothing was thrown");
        } catch (const std::runtime_error& error) {
            QCOMPARE(std::string(error.what()), std::string("forty-two"));
        }
    }

    void hashesTellPartsApart() {
        Hasher ab, a, again;
        ab.add(std::string_view("ab")).add(std::string_view("c"));
        a.add(std::string_view("a")).add(std::string_view("bc"));
        again.add(std::string_view("ab")).add(std::string_view("c"));
        QVERIFY(ab.hex() != a.hex());
        QCOMPARE(ab.hex(), again.hex());
        QCOMPARE(ab.hex().size(), std::size_t{32});
    }

    void errorsReadAsOneLine() {
        const Error error{ErrorCode::Io, "It broke.", "Mend it.", "file.onnx"};
        QCOMPARE(describe(error), std::string("file.onnx: It broke. Mend it."));
        QCOMPARE(describe(Error{ErrorCode::Io, "It broke.", {}, {}}), std::string("It broke."));
    }
};

QTEST_APPLESS_MAIN(TestParallel)
#include "test_parallel.moc"
