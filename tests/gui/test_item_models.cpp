// SPDX-License-Identifier: GPL-3.0-or-later
// Tables behind the window: their contract with Qt's views, sorting, filtering, and what they ask for.
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "tests/support/registry.h"
#include "widgets/bridge/text.h"
#include "widgets/models/finding_model.h"
#include "widgets/models/layer_filter.h"
#include "widgets/models/layer_model.h"
#include "widgets/models/pair_model.h"

namespace test_item_models {

using namespace equant;
using namespace equant::ui;

class TestItemModels : public QObject {
    Q_OBJECT

private:
    static std::vector<LayerRow> rows() {
        std::vector<LayerRow> result(3);
        const char* names[] = {"stem/conv", "block/depthwise", "head/pool"};
        for (int i = 0; i < 3; ++i) {
            auto& row = result[static_cast<std::size_t>(i)];
            row.position = i + 1;
            row.name = QLatin1String(names[i]);
            row.type = i < 2 ? QStringLiteral("Conv") : QStringLiteral("AveragePool");
            row.parameters = i < 2 ? 1000 - 900 * i : 0;
            row.macs = i < 2 ? 2'000'000 * (i + 1) : 0;
        }
        result[0].weightShape = result[1].weightShape = QStringLiteral("8x3x3x3");
        result[0].localSqnrDb = 12.0;
        result[1].localSqnrDb = 40.0;
        result[1].imbalanceBefore = 120.0;
        result[0].planMethod = QStringLiteral("spatial SVD");
        result[0].planRatio = 0.4;
        result[0].planSize = 6;
        result[0].planFullSize = 16;
        result[0].macsSaved = 0.21;
        result[1].planMethod = QStringLiteral("cannot");
        result[1].planReason = QStringLiteral("it is depthwise");
        return result;
    }

private slots:
    void layers() {
        LayerModel model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.setRows(rows());
        QCOMPARE(model.rowOf(QStringLiteral("head/pool")), 2);
        QCOMPARE(model.rowOf(QStringLiteral("nothing")), -1);
        const QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
        auto changed = rows();
        changed[2].localSqnrDb = 5.0;
        model.updateRows(changed);
        QCOMPARE(reset.count(), 0);  // the same layers: selection and scroll position stay
        changed.pop_back();
        model.updateRows(changed);
        QCOMPARE(reset.count(), 1);
        QVERIFY(model.index(1, LayerModel::ImbalanceBefore).data(LayerModel::FlagRole).toBool());
        QVERIFY(!model.index(0, LayerModel::ImbalanceBefore).data(LayerModel::FlagRole).toBool());
    }

    void sortingPutsUnknownLast() {
        LayerModel model;
        LayerFilter filter;
        filter.setSourceModel(&model);
        QAbstractItemModelTester tester(&filter, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.setRows(rows());
        for (const auto order : {Qt::AscendingOrder, Qt::DescendingOrder}) {
            filter.sort(LayerModel::LocalSqnr, order);
            QCOMPARE(filter.index(2, LayerModel::Name).data().toString(), QStringLiteral("head/pool"));
        }
        filter.sort(LayerModel::Parameters, Qt::AscendingOrder);  // as numbers, not as text
        QCOMPARE(filter.index(1, LayerModel::Name).data().toString(), QStringLiteral("block/depthwise"));
    }

    void planColumns() {
        LayerModel model;
        LayerFilter filter;
        filter.setSourceModel(&model);
        auto changed = rows();
        changed[0].isPlanLocked = true;
        model.setRows(changed);
        QCOMPARE(LayerModel::setOf(LayerModel::PlanMethod), ColumnSet::Compression);
        QCOMPARE(LayerModel::setOf(LayerModel::MacsSaved), ColumnSet::Compression);
        QCOMPARE(LayerModel::setOf(LayerModel::TypicalBitsAfter), ColumnSet::Ranges);
        QCOMPARE(LayerModel::setOf(LayerModel::LocalSqnr), ColumnSet::Quantization);
        QCOMPARE(model.index(0, LayerModel::PlanMethod).data().toString(), QStringLiteral("spatial SVD, locked"));
        QCOMPARE(model.index(0, LayerModel::PlanSize).data().toString(), QStringLiteral("6 of 16"));
        QCOMPARE(model.index(0, LayerModel::PlanRatio).data(LayerModel::ShareRole).toDouble(), 0.4);
        QCOMPARE(model.index(0, LayerModel::MacsSaved).data(LayerModel::ShareRole).toDouble(), 0.21);
        QVERIFY(!model.index(1, LayerModel::PlanRatio).data(LayerModel::ShareRole).isValid());
        QCOMPARE(model.index(1, LayerModel::PlanMethod).data(Qt::ToolTipRole).toString(),
                 QStringLiteral("it is depthwise"));
        for (const auto order : {Qt::AscendingOrder, Qt::DescendingOrder}) {
            filter.sort(LayerModel::MacsSaved, order);
            QCOMPARE(filter.index(0, LayerModel::Name).data().toString(), QStringLiteral("stem/conv"));
            filter.sort(LayerModel::PlanMethod, order);
            QCOMPARE(filter.index(2, LayerModel::Name).data().toString(), QStringLiteral("head/pool"));
        }
    }

    void filter_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<int>("count");
        QTest::newRow("nothing") << "" << 3;
        QTest::newRow("name") << "depth" << 1;
        QTest::newRow("type") << "type:conv" << 2;
        QTest::newRow("word matches type too") << "pool" << 1;
        QTest::newRow("comparison") << "macs>=4M" << 1;
        QTest::newRow("ratio of the plan in percent") << "ratio<50" << 1;
        QTest::newRow("unknown values do not match") << "sqnr<100" << 2;
        QTest::newRow("all must hold") << "conv sqnr<20" << 1;
        QTest::newRow("not a comparison after all") << "foo<3" << 0;
    }

    void filter() {
        QFETCH(QString, text);
        QFETCH(int, count);
        LayerModel model;
        LayerFilter filter;
        filter.setSourceModel(&model);
        model.setRows(rows());
        filter.setFilterText(text);
        QCOMPARE(filter.rowCount(), count);
    }

    void onlyWeighted() {
        LayerModel model;
        LayerFilter filter;
        filter.setSourceModel(&model);
        model.setRows(rows());
        filter.setOnlyWeighted(true);
        QCOMPARE(filter.rowCount(), 2);
    }

    void findingsAreSortedBySeverity() {
        FindingModel model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.setFindings({{"a", Severity::Info, "x", "note", ""}, {"b", Severity::Error, "y", "bad", "fix it"}});
        QCOMPARE(model.index(0, FindingModel::Id).data().toString(), QStringLiteral("b"));
        QCOMPARE(model.index(0, FindingModel::Message).data().toString(), QStringLiteral("bad fix it"));
        QCOMPARE(model.index(0, 0).data(FindingModel::SubjectRole).toString(), QStringLiteral("y"));
    }

    void shortNames_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("wanted");
        QTest::newRow("plain") << "conv1"
                               << "conv1";
        QTest::newRow("exported") << "/blocks/blocks.0/depthwise/conv/Conv"
                                  << "blocks.0/depthwise";
        QTest::newRow("modules within modules") << "/blocks/blocks.13/f/f.0/f.0.0/Conv"
                                                << "blocks.13/f.0.0";
        QTest::newRow("half within modules") << "/features/features.1/conv/conv.0/conv.0.0/Conv.first"
                                             << "features.1/conv.0.0.first";
        QTest::newRow("short") << "/stem/conv/Conv"
                               << "stem";
        QTest::newRow("operator only") << "/Conv"
                                       << "Conv";
        QTest::newRow("other type") << "/stem/relu6/Clip"
                                    << "stem/relu6";
        QTest::newRow("half of a split layer") << "/stem/conv/Conv.second"
                                               << "stem.second";
        QTest::newRow("empty") << ""
                               << "";
        QTest::newRow("slashes") << "//"
                                 << "//";
    }

    void shortNames() {
        QFETCH(QString, name);
        QFETCH(QString, wanted);
        QCOMPARE(shortName(name), wanted);
    }

    void pairsAskBeforeTheyChange() {
        PairModel model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        EqualizedPair equalized;
        equalized.layers = {"a", "b"};
        equalized.isEqualized = true;
        EqualizedPair skipped;
        skipped.layers = {"c"};
        skipped.reasonCode = "branch";
        model.setPairs({equalized, skipped}, {});
        const QSignalSpy asked(&model, &PairModel::exclusionRequested);
        QVERIFY(model.setData(model.index(0, 0), Qt::Unchecked, Qt::CheckStateRole));
        QCOMPARE(asked.count(), 1);
        QCOMPARE(asked[0][0].toString(), QStringLiteral("a"));
        QCOMPARE(asked[0][1].toBool(), true);
        QCOMPARE(model.index(0, 0).data(Qt::CheckStateRole).toInt(), int(Qt::Checked));
        QVERIFY(!model.setData(model.index(1, 0), Qt::Checked, Qt::CheckStateRole));
        model.setPairs({equalized, skipped}, {"a"});
        QCOMPARE(model.index(0, 0).data(Qt::CheckStateRole).toInt(), int(Qt::Unchecked));
        QCOMPARE(model.rowOf(QStringLiteral("b")), 0);
    }
};

EQUANT_TEST(TestItemModels)
}  // namespace test_item_models

#include "test_item_models.moc"
