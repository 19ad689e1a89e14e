// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/layer_model.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

#include "widgets/plots/base/plot_scene.h"

namespace equant::ui {

using namespace Qt::StringLiterals;

namespace {

// Above these a value deserves attention: a channel 8 times the median costs the others three bits.
constexpr double kHighImbalance = 8.0;
constexpr double kFewBits = 4.0;
constexpr double kLowSqnrDb = 15.0;

QString fixed(std::optional<double> value, int digits) {
    if (!value) return {};
    if (std::isinf(*value)) return u"∞"_s;
    if (!std::isfinite(*value)) return {};
    // A ratio of 23456 needs no decimals.
    return QLocale().toString(*value, 'f', std::abs(*value) >= 1000 ? 0 : digits);
}

QVariant asVariant(std::optional<double> value) {
    return value && !std::isnan(*value) ? QVariant(*value) : QVariant();
}

QString percent(std::optional<double> share, int digits) {
    return share ? LayerModel::tr("%1 %").arg(QLocale().toString(100 * *share, 'f', digits)) : QString();
}

}  // namespace

LayerModel::LayerModel(QObject* parent) : QAbstractTableModel(parent) {}

void LayerModel::setRows(std::vector<LayerRow> rows) {
    beginResetModel();
    m_rows = std::move(rows);
    endResetModel();
}

void LayerModel::updateRows(std::vector<LayerRow> rows) {
    const bool isSame = std::ranges::equal(rows, m_rows, {}, &LayerRow::name, &LayerRow::name);
    if (!isSame) return setRows(std::move(rows));
    m_rows = std::move(rows);
    if (!m_rows.empty()) emit dataChanged(index(0, 0), index(rowCount() - 1, ColumnCount - 1));
}

int LayerModel::rowOf(const QString& name) const {
    const auto found = std::ranges::find(m_rows, name, &LayerRow::name);
    return found == m_rows.end() ? -1 : static_cast<int>(found - m_rows.begin());
}

ColumnSet LayerModel::setOf(int column) {
    if (column >= LocalSqnr) return ColumnSet::Quantization;
    if (column >= PlanMethod) return ColumnSet::Compression;
    if (column >= ImbalanceBefore) return ColumnSet::Ranges;
    return ColumnSet::Structure;
}

int LayerModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

int LayerModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QString LayerModel::text(const LayerRow& row, int column) const {
    switch (column) {
        case Position:
            return QLocale().toString(row.position);
        case Name:
            return row.name;
        case Type:
            return row.type;
        case OutputShape:
            return row.outputShape;
        case WeightShape:
            return row.weightShape;
        case Parameters:
            return row.parameters > 0 ? plots::countText(static_cast<double>(row.parameters)) : QString();
        case Macs:
            return row.macs > 0 ? plots::countText(static_cast<double>(row.macs)) : QString();
        case Activations:
            return row.activationBytes > 0 ? plots::bytesText(static_cast<double>(row.activationBytes)) : QString();
        case ImbalanceBefore:
            return fixed(row.imbalanceBefore, 1);
        case ImbalanceAfter:
            return fixed(row.imbalanceAfter, 1);
        case TypicalBitsBefore:
            return fixed(row.typicalBitsBefore, 1);
        case TypicalBitsAfter:
            return fixed(row.typicalBitsAfter, 1);
        case PlanMethod:
            return row.isPlanLocked ? tr("%1, locked").arg(row.planMethod) : row.planMethod;
        case PlanRatio:
            return percent(row.planRatio, 0);
        case PlanSize:
            return row.planSize > 0 ? tr("%1 of %2").arg(row.planSize).arg(row.planFullSize) : QString();
        case MacsSaved:
            return percent(row.macsSaved, 1);
        case LocalSqnr:
            return fixed(row.localSqnrDb, 1);
        case AccumulatedSqnr:
            return fixed(row.accumulatedSqnrDb, 1);
        case Bits:
            return row.bits;
        default:
            return {};
    }
}

QVariant LayerModel::number(const LayerRow& row, int column) const {
    switch (column) {
        case Position:
            return row.position;
        case Parameters:
            return QVariant::fromValue<qlonglong>(row.parameters);
        case Macs:
            return QVariant::fromValue<qlonglong>(row.macs);
        case Activations:
            return QVariant::fromValue<qlonglong>(row.activationBytes);
        case ImbalanceBefore:
            return asVariant(row.imbalanceBefore);
        case ImbalanceAfter:
            return asVariant(row.imbalanceAfter);
        case TypicalBitsBefore:
            return asVariant(row.typicalBitsBefore);
        case TypicalBitsAfter:
            return asVariant(row.typicalBitsAfter);
        case PlanRatio:
            return asVariant(row.planRatio ? std::optional(100 * *row.planRatio) : std::nullopt);
        case PlanSize:
            return row.planSize > 0 ? QVariant::fromValue<qlonglong>(row.planSize) : QVariant();
        case MacsSaved:
            return asVariant(row.macsSaved ? std::optional(100 * *row.macsSaved) : std::nullopt);
        case PlanMethod:
            return row.planMethod.isEmpty() ? QVariant() : QVariant(text(row, column));
        case LocalSqnr:
            return asVariant(row.localSqnrDb);
        case AccumulatedSqnr:
            return asVariant(row.accumulatedSqnrDb);
        default:
            return text(row, column);
    }
}

QVariant LayerModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid)) return {};
    const LayerRow& row = m_rows[static_cast<std::size_t>(index.row())];
    const int column = index.column();
    switch (role) {
        case Qt::DisplayRole:
            return text(row, column);
        case Qt::ToolTipRole:
            if (column == PlanMethod && !row.planReason.isEmpty()) return row.planReason;
            return column == Name ? QVariant(row.name) : QVariant();
        case Qt::TextAlignmentRole: {
            const bool isText = column == Name || column == Type || column == OutputShape || column == WeightShape ||
                                column == PlanMethod || column == Bits;
            return QVariant::fromValue(Qt::Alignment(Qt::AlignVCenter | (isText ? Qt::AlignLeft : Qt::AlignRight)));
        }
        case SortRole:
            return number(row, column);
        case NameRole:
            return row.name;
        case ShareRole:
            if (column == Parameters && row.parameters > 0) return row.parameterShare;
            if (column == Macs && row.macs > 0) return row.macShare;
            if (column == PlanRatio && row.planRatio) return *row.planRatio;
            if (column == MacsSaved && row.macsSaved) return *row.macsSaved;
            return {};
        case FlagRole:
            if (column == ImbalanceBefore) return row.imbalanceBefore.value_or(0) > kHighImbalance;
            if (column == ImbalanceAfter) return row.imbalanceAfter.value_or(0) > kHighImbalance;
            if (column == TypicalBitsBefore) return row.typicalBitsBefore.value_or(8) < kFewBits;
            if (column == TypicalBitsAfter) return row.typicalBitsAfter.value_or(8) < kFewBits;
            if (column == LocalSqnr) return row.localSqnrDb.value_or(99) < kLowSqnrDb;
            return false;
        default:
            return {};
    }
}

namespace {

QString columnTitle(int section) {
    switch (section) {
        case LayerModel::Position:
            return LayerModel::tr("#");
        case LayerModel::Name:
            return LayerModel::tr("Layer");
        case LayerModel::Type:
            return LayerModel::tr("Type");
        case LayerModel::OutputShape:
            return LayerModel::tr("Output");
        case LayerModel::WeightShape:
            return LayerModel::tr("Weight");
        case LayerModel::Parameters:
            return LayerModel::tr("Parameters");
        case LayerModel::Macs:
            return LayerModel::tr("MACs");
        case LayerModel::Activations:
            return LayerModel::tr("Activations");
        case LayerModel::ImbalanceBefore:
            return LayerModel::tr("Imbalance");
        case LayerModel::ImbalanceAfter:
            return LayerModel::tr("equalized");
        case LayerModel::TypicalBitsBefore:
            return LayerModel::tr("Effective bits");
        case LayerModel::TypicalBitsAfter:
            return LayerModel::tr("equalized");
        case LayerModel::PlanMethod:
            return LayerModel::tr("Method");
        case LayerModel::PlanRatio:
            return LayerModel::tr("Ratio");
        case LayerModel::PlanSize:
            return LayerModel::tr("Rank or channels");
        case LayerModel::MacsSaved:
            return LayerModel::tr("MACs saved");
        case LayerModel::LocalSqnr:
            return LayerModel::tr("Local SQNR (dB)");
        case LayerModel::AccumulatedSqnr:
            return LayerModel::tr("Accumulated SQNR (dB)");
        case LayerModel::Bits:
            return LayerModel::tr("Precision");
    }
    return {};
}

QString columnToolTip(int section) {
    switch (section) {
        case LayerModel::Position:
            return LayerModel::tr("Place in the order of execution");
        case LayerModel::Macs:
            return LayerModel::tr("Multiply-accumulates for one sample");
        case LayerModel::Activations:
            return LayerModel::tr("Bytes of the layer's output for one sample");
        case LayerModel::ImbalanceBefore:
        case LayerModel::ImbalanceAfter:
            return LayerModel::tr("Largest over median channel range; 1: all channels have the same range");
        case LayerModel::TypicalBitsBefore:
        case LayerModel::TypicalBitsAfter:
            return LayerModel::tr("Effective bits of the median channel with one 8-bit scale for the tensor");
        case LayerModel::PlanMethod:
            return LayerModel::tr("How the plan makes this layer smaller");
        case LayerModel::PlanRatio:
            return LayerModel::tr("Share of the layer's own MACs that the plan leaves");
        case LayerModel::PlanSize:
            return LayerModel::tr("Rank of the factorization, or input channels, that the plan keeps");
        case LayerModel::MacsSaved:
            return LayerModel::tr("Share of the whole model's MACs that the plan saves here, predicted");
        case LayerModel::LocalSqnr:
            return LayerModel::tr("SQNR of the layer's output with only this layer quantized");
        case LayerModel::AccumulatedSqnr:
            return LayerModel::tr("SQNR of the layer's output with all layers up to it quantized");
        default:
            return {};
    }
}

}  // namespace

QVariant LayerModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::TextAlignmentRole && section >= Parameters && section != Bits && section != PlanMethod)
        return QVariant::fromValue(Qt::Alignment(Qt::AlignVCenter | Qt::AlignRight));
    if (role == Qt::DisplayRole) return columnTitle(section);
    if (role == Qt::ToolTipRole) return columnToolTip(section);
    return {};
}

}  // namespace equant::ui
