// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/layer_filter.h"

#include <QRegularExpression>
#include <algorithm>
#include <map>

#include "widgets/models/layer_model.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

const std::map<QString, int>& columnsByWord() {
    static const std::map<QString, int> columns{{u"params"_s, LayerModel::Parameters},
                                                {u"parameters"_s, LayerModel::Parameters},
                                                {u"macs"_s, LayerModel::Macs},
                                                {u"bytes"_s, LayerModel::Activations},
                                                {u"imbalance"_s, LayerModel::ImbalanceBefore},
                                                {u"bits"_s, LayerModel::TypicalBitsBefore},
                                                {u"sqnr"_s, LayerModel::LocalSqnr},
                                                {u"ratio"_s, LayerModel::PlanRatio},
                                                {u"saved"_s, LayerModel::MacsSaved}};
    return columns;
}

double multiplier(const QString& suffix) {
    if (suffix == u"k"_s) return 1e3;
    if (suffix == u"m"_s) return 1e6;
    if (suffix == u"g"_s) return 1e9;
    return 1;
}

bool holds(double left, const QString& comparison, double right) {
    if (comparison == u"<"_s) return left < right;
    if (comparison == u"<="_s) return left <= right;
    if (comparison == u">"_s) return left > right;
    if (comparison == u">="_s) return left >= right;
    return left == right;
}

}  // namespace

LayerFilter::LayerFilter(QObject* parent) : QSortFilterProxyModel(parent) {
    setSortRole(LayerModel::SortRole);
}

QString LayerFilter::help() {
    return tr(
        "Words that must all be part of a layer's name or type.\n"
        "type:conv looks at the type only.\n"
        "params, macs, bytes, imbalance, bits, sqnr, ratio and saved (percent) can be compared:\n"
        "macs>1M  bits<4  sqnr<=20  ratio<50");
}

LayerFilter::Term LayerFilter::parse(const QString& word) {
    Term term{word.toLower(), false, -1, {}, 0};
    if (term.word.startsWith("type:"_L1)) {
        term.isType = true;
        term.word = term.word.mid(5);
        return term;
    }
    static const QRegularExpression comparison(u"^([a-z]+)(<=|>=|<|>|=)([-0-9.]+)([kmg]?)$"_s);
    const auto match = comparison.match(term.word);
    if (!match.hasMatch()) return term;
    const auto column = columnsByWord().find(match.captured(1));
    bool isNumber = false;
    const double value = match.captured(3).toDouble(&isNumber);
    if (column == columnsByWord().end() || !isNumber) return term;
    term.column = column->second;
    term.comparison = match.captured(2);
    term.value = value * multiplier(match.captured(4));
    return term;
}

void LayerFilter::setFilterText(const QString& text) {
    m_text = text;
    m_terms.clear();
    for (const QString& word : text.split(u' ', Qt::SkipEmptyParts)) m_terms.push_back(parse(word));
    invalidateFilter();
}

void LayerFilter::setOnlyWeighted(bool on) {
    m_isOnlyWeighted = on;
    invalidateFilter();
}

bool LayerFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    const auto cell = [&](int column, int role) { return sourceModel()->index(row, column, parent).data(role); };
    if (m_isOnlyWeighted && cell(LayerModel::WeightShape, Qt::DisplayRole).toString().isEmpty()) return false;
    const QString name = cell(LayerModel::Name, Qt::DisplayRole).toString().toLower();
    const QString type = cell(LayerModel::Type, Qt::DisplayRole).toString().toLower();
    return std::ranges::all_of(m_terms, [&](const Term& term) {
        if (term.column >= 0) {
            const QVariant value = cell(term.column, LayerModel::SortRole);
            return value.isValid() && holds(value.toDouble(), term.comparison, term.value);
        }
        return type.contains(term.word) || (!term.isType && name.contains(term.word));
    });
}

bool LayerFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const {
    const QVariant a = left.data(LayerModel::SortRole);
    const QVariant b = right.data(LayerModel::SortRole);
    // What is not known comes last, whichever way the column is sorted.
    if (!a.isValid() || !b.isValid())
        return a.isValid() != b.isValid() && (sortOrder() == Qt::AscendingOrder ? a.isValid() : b.isValid());
    if (a.typeId() == QMetaType::QString) return QString::localeAwareCompare(a.toString(), b.toString()) < 0;
    return a.toDouble() < b.toDouble();
}

}  // namespace equant::ui
