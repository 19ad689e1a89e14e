// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/pair_model.h"

#include <algorithm>

#include "widgets/bridge/text.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

PairModel::PairModel(QObject* parent) : QAbstractTableModel(parent) {}

void PairModel::setPairs(std::vector<EqualizedPair> pairs, const std::vector<std::string>& excluded) {
    const auto key = [](const EqualizedPair& pair) { return pair.layers; };
    const bool isSame = std::ranges::equal(pairs, m_pairs, {}, key, key);
    if (!isSame) beginResetModel();
    m_pairs = std::move(pairs);
    m_excluded = excluded;
    if (!isSame)
        endResetModel();
    else if (!m_pairs.empty())
        emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
}

int PairModel::rowOf(const QString& layer) const {
    const auto contains = [wanted = toStdString(layer)](const EqualizedPair& pair) {
        return std::ranges::find(pair.layers, wanted) != pair.layers.end();
    };
    const auto found = std::ranges::find_if(m_pairs, contains);
    return found == m_pairs.end() ? -1 : static_cast<int>(found - m_pairs.begin());
}

bool PairModel::isExcluded(const EqualizedPair& pair) const {
    return !pair.layers.empty() && std::ranges::find(m_excluded, pair.layers.front()) != m_excluded.end();
}

/// What the engine skipped for its own reasons cannot be switched on here.
bool PairModel::isOptional(const EqualizedPair& pair) const {
    return pair.isEqualized || pair.reasonCode == "excluded" || isExcluded(pair);
}

int PairModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_pairs.size());
}

int PairModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant PairModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const EqualizedPair& pair = m_pairs[static_cast<std::size_t>(index.row())];
    const QString layers = toQStringList(pair.layers).join(u" → "_s);
    switch (role) {
        case FirstLayerRole:
            return pair.layers.empty() ? QString() : toQString(pair.layers.front());
        case IndexRole:
            return index.row();
        case Qt::CheckStateRole:
            if (index.column() != Layers || !isOptional(pair)) return {};
            return isExcluded(pair) ? Qt::Unchecked : Qt::Checked;
        case Qt::ToolTipRole:
            return layers + u'\n' + toQString(pair.reason);
        case Qt::DisplayRole:
            switch (index.column()) {
                case Layers: {
                    QStringList names;
                    for (const std::string& layer : pair.layers) names << shortName(toQString(layer));
                    return names.join(u" → "_s);
                }
                case State:
                    if (isExcluded(pair)) return tr("Excluded");
                    if (pair.isEqualized) return tr("Equalized");
                    return pair.reasonCode == "excluded" ? tr("Not computed yet") : tr("Skipped");
                case Reason:
                    return toQString(pair.reason);
                default:
                    return {};
            }
        default:
            return {};
    }
}

bool PairModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    if (role != Qt::CheckStateRole || !index.isValid() || index.column() != Layers) return false;
    const EqualizedPair& pair = m_pairs[static_cast<std::size_t>(index.row())];
    if (pair.layers.empty() || !isOptional(pair)) return false;
    emit exclusionRequested(toQString(pair.layers.front()), value.toInt() == Qt::Unchecked);
    return true;
}

Qt::ItemFlags PairModel::flags(const QModelIndex& index) const {
    Qt::ItemFlags result = QAbstractTableModel::flags(index);
    if (index.isValid() && index.column() == Layers && isOptional(m_pairs[static_cast<std::size_t>(index.row())]))
        result |= Qt::ItemIsUserCheckable;
    return result;
}

QVariant PairModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    switch (section) {
        case Layers:
            return tr("Layers");
        case State:
            return tr("State");
        case Reason:
            return tr("Why");
        default:
            return {};
    }
}

}  // namespace equant::ui
