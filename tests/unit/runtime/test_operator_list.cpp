// SPDX-License-Identifier: Apache-2.0
// docs/operators.md names exactly the operators that have a kernel, each in the table row of its family.
#include <QFile>
#include <QRegularExpression>
#include <QtTest>

#include "core/runtime/kernels/operator_list.h"
#include "tests/support/registry.h"

namespace test_operator_list {

using namespace equant;

class TestOperatorList : public QObject {
    Q_OBJECT

private slots:
    void tablesAreFilled() {
        std::size_t count = 0;
        QSet<QString> seen;
        for (const OperatorFamily& family : supportedOperators()) {
            QVERIFY2(!family.operators.empty(), family.name.c_str());
            QVERIFY(std::is_sorted(family.operators.begin(), family.operators.end()));
            for (const auto& name : family.operators) {
                ++count;
                QVERIFY2(!seen.contains(QString::fromStdString(name)), name.c_str());
                seen.insert(QString::fromStdString(name));
            }
        }
        QVERIFY(count > 100);
        QVERIFY(seen.contains("Conv") && seen.contains("If") && !seen.contains("StringNormalizer"));
    }

    void documentEqualsTables() {
        QFile file(QStringLiteral(EQUANT_SOURCE_DIR "/docs/operators.md"));
        QVERIFY2(file.open(QIODevice::ReadOnly), qPrintable(file.fileName()));
        const QString text = QString::fromUtf8(file.readAll());
        // No row beyond the families there are.
        const QString section = text.section("## What runs", 1).section("\n## ", 0, 0);
        QCOMPARE(section.count("\n| ") - 2, static_cast<qsizetype>(supportedOperators().size()));
        for (const OperatorFamily& family : supportedOperators()) {
            // | Family | `A` `B` ... |
            const QString start = "| " + QString::fromStdString(family.name) + " |";
            QString row;
            for (const QString& line : text.split('\n')) {
                if (line.startsWith(start)) row = line;
            }
            QVERIFY2(!row.isEmpty(), qPrintable("docs/operators.md has no row " + start));
            QStringList documented;
            auto names = QRegularExpression("`([A-Za-z0-9]+)`").globalMatch(row);
            while (names.hasNext()) documented << names.next().captured(1);
            QStringList actual;
            for (const auto& name : family.operators) actual << QString::fromStdString(name);
            if (documented != actual)
                qInfo("the row should read: %s %s |", qPrintable(start), qPrintable('`' + actual.join("` `") + '`'));
            QCOMPARE(documented, actual);
        }
    }
};

EQUANT_TEST(TestOperatorList)
}  // namespace test_operator_list

#include "test_operator_list.moc"
