// SPDX-License-Identifier: GPL-3.0-or-later
// Jobs: results arrive on the GUI thread, superseded and orphaned ones do not, cancelling works from the panel.
#include <QLabel>
#include <QPushButton>
#include <QTest>
#include <QThread>
#include <QToolButton>
#include <semaphore>

#include "tests/support/registry.h"
#include "widgets/bridge/job.h"
#include "widgets/panels/jobs_panel.h"

namespace test_jobs {

using namespace equant;
using namespace equant::ui;

class TestJobs : public QObject {
    Q_OBJECT

private:
    static bool waitIdle(JobRunner& runner) {
        return QTest::qWaitFor([&] { return !runner.hasRunning(); }, 20000);
    }
    /// Runs until it is told to stop.
    static Result<int> endless(const JobContext& job) {
        job.begin("waiting", 100);
        job.advance(40);
        while (!job.stopped()) QThread::msleep(1);
        return cancelled();
    }

private slots:
    void deliversOnTheOwnersThread() {
        JobRunner runner;
        int got = 0;
        Qt::HANDLE thread = nullptr;
        runner.start<int>(
            this, QStringLiteral("slot"), QStringLiteral("answer"), [](const JobContext&) -> Result<int> { return 42; },
            [&](std::shared_ptr<const int> value) {
                got = *value;
                thread = QThread::currentThreadId();
            });
        QVERIFY(waitIdle(runner));
        QCOMPARE(got, 42);
        QCOMPARE(thread, QThread::currentThreadId());
        QCOMPARE(runner.jobs().back()->state(), Job::State::Finished);
    }

    void newerJobSupersedes() {
        JobRunner runner;
        QList<int> delivered;
        const auto deliver = [&](std::shared_ptr<const int> value) { delivered << *value; };
        std::binary_semaphore gate(0);
        // Ignores the request to stop and yields a result all the same: it must go nowhere.
        Job* old = runner.start<int>(
            this, QStringLiteral("slot"), QStringLiteral("old"),
            [&gate](const JobContext&) -> Result<int> {
                gate.acquire();
                return 1;
            },
            deliver);
        runner.start<int>(
            this, QStringLiteral("slot"), QStringLiteral("new"), [](const JobContext&) -> Result<int> { return 2; },
            deliver);
        gate.release();
        QVERIFY(waitIdle(runner));
        QCOMPARE(delivered, QList<int>{2});
        QCOMPARE(old->state(), Job::State::Cancelled);
    }

    void deadOwnerGetsNothing() {
        JobRunner runner;
        bool isCalled = false;
        auto owner = std::make_unique<QObject>();
        std::binary_semaphore gate(0);
        runner.start<int>(
            owner.get(), QStringLiteral("slot"), QStringLiteral("orphan"),
            [&gate](const JobContext&) -> Result<int> {
                gate.acquire();
                return 1;
            },
            [&](std::shared_ptr<const int>) { isCalled = true; });
        owner.reset();
        gate.release();
        QVERIFY(waitIdle(runner));
        QVERIFY(!isCalled);
    }

    void failuresAndExceptionsAreErrors() {
        JobRunner runner;
        QStringList messages;
        const auto failed = [&](const Error& error) { messages << QString::fromStdString(error.message); };
        runner.start<int>(
            this, QStringLiteral("a"), QStringLiteral("fails"),
            [](const JobContext&) -> Result<int> { return fail(ErrorCode::NotFound, "No such thing."); }, {}, failed);
        QVERIFY(waitIdle(runner));
        runner.start<int>(
            this, QStringLiteral("b"), QStringLiteral("throws"),
            [](const JobContext&) -> Result<int> { throw std::runtime_error("broken"); }, {}, failed);
        QVERIFY(waitIdle(runner));
        QCOMPARE(messages.size(), 2);
        QCOMPARE(messages[0], QStringLiteral("No such thing."));
        QVERIFY(messages[1].contains(QStringLiteral("broken")));
        QCOMPARE(runner.jobs().back()->state(), Job::State::Failed);
    }

    void panelCancels() {
        JobRunner runner;
        JobsPanel panel(&runner);
        panel.resize(300, 300);
        panel.show();
        Job* job = runner.start<int>(this, QStringLiteral("slot"), QStringLiteral("endless"), &TestJobs::endless, {});
        QVERIFY(QTest::qWaitFor([&] { return job->fraction() > 0; }, 10000));
        QCOMPARE(job->fraction(), 0.4);
        QCOMPARE(job->stage(), QStringLiteral("waiting"));
        // The remaining time is that of the step, and says so.
        const auto saysWhatIsLeft = [&] {
            for (const QLabel* label : panel.findChildren<QLabel*>())
                if (label->text().endsWith(QStringLiteral("left in this step"))) return true;
            return false;
        };
        QVERIFY(QTest::qWaitFor(saysWhatIsLeft, 10000));
        auto* cancel = panel.findChild<QToolButton*>(QStringLiteral("jobCancel"));
        QVERIFY(cancel);
        QTest::mouseClick(cancel, Qt::LeftButton);
        QVERIFY(waitIdle(runner));
        QCOMPARE(job->state(), Job::State::Cancelled);
        QVERIFY(!cancel->isVisibleTo(&panel));
        QTest::mouseClick(panel.findChild<QPushButton*>(QStringLiteral("jobsClear")), Qt::LeftButton);
        QVERIFY(runner.jobs().empty());
    }

    void runnerEndsItsThreads() {
        auto runner = std::make_unique<JobRunner>();
        runner->start<int>(this, QStringLiteral("slot"), QStringLiteral("endless"), &TestJobs::endless, {});
        runner.reset();  // returns only if the job obeys
    }
};

EQUANT_TEST(TestJobs)
}  // namespace test_jobs

#include "test_jobs.moc"
