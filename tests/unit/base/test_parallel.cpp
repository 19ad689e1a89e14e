// SPDX-License-Identifier: Apache-2.0
#include <QtTest>
#include <atomic>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "core/base/hash.h"
#include "core/base/load_ahead.h"
#include "core/base/parallel.h"
#include "core/base/result.h"
#include "tests/support/registry.h"

namespace test_parallel {

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

    void loadsAheadWithinBounds() {
        for (const unsigned threads : {1U, 3U}) {
            std::vector<std::atomic<int>> visits(200);
            std::atomic<int> held{0}, mostHeld{0};
            std::atomic<bool> isRight{true};
            const auto load = [&](std::size_t index) {
                const int now = ++held;
                for (int most = mostHeld; most < now && !mostHeld.compare_exchange_weak(most, now);) {
                }
                return index * 3;
            };
            const auto work = [&](unsigned worker, std::size_t index, std::size_t item) {
                --held;
                ++visits[index];
                if (item != index * 3 || worker >= threads) isRight = false;
            };
            LoadAhead<std::size_t>(visits.size(), threads, {}, load, work).run();
            for (const auto& count : visits) QCOMPARE(count.load(), 1);
            QVERIFY(isRight);
            QVERIFY(mostHeld <= static_cast<int>(2 * threads + loadersFor(threads)));
        }
    }

    void loadingAheadEndsEarly() {
        const auto load = [](std::size_t index) { return index; };
        std::stop_source stop;
        std::atomic<int> done{0};
        LoadAhead<std::size_t>(100000, 2, stop.get_token(), load, [&](unsigned, std::size_t, std::size_t) {
            if (++done == 5) stop.request_stop();
        }).run();
        QVERIFY(done < 100000);
        const auto refuse = [](std::size_t index) -> std::size_t {
            if (index == 20) throw std::runtime_error("no such item");
            return index;
        };
        const auto ignore = [](unsigned, std::size_t, std::size_t) {};
        const auto break7 = [](unsigned, std::size_t index, std::size_t) {
            if (index == 7) throw std::logic_error("broken");
        };
        QVERIFY_EXCEPTION_THROWN(LoadAhead<std::size_t>(1000, 2, {}, refuse, ignore).run(), std::runtime_error);
        QVERIFY_EXCEPTION_THROWN(LoadAhead<std::size_t>(1000, 2, {}, load, break7).run(), std::logic_error);
        LoadAhead<std::size_t>(0, 2, {}, refuse, break7).run();
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

EQUANT_TEST(TestParallel)
}  // namespace test_parallel

#include "test_parallel.moc"
