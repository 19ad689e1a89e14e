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

QVariant LayerModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::TextAlignmentRole && section >= Parameters && section != Bits && section != PlanMethod)
        return QVariant::fromValue(Qt::Alignment(Qt::AlignVCenter | Qt::AlignRight));
    if (role == Qt::DisplayRole) {
        switch (section) {
            case Position:
                return tr("#");
            case Name:
                return tr("Layer");
            case Type:
                return tr("Type");
            case OutputShape:
                return tr("Output");
            case WeightShape:
                return tr("Weight");
            case Parameters:
                return tr("Parameters");
            case Macs:
                return tr("MACs");
            case Activations:
                return tr("Activations");
            case ImbalanceBefore:
                return tr("Imbalance");
            case ImbalanceAfter:
                return tr("equalized");
            case TypicalBitsBefore:
                return tr("Effective bits");
            case TypicalBitsAfter:
                return tr("equalized");
            case PlanMethod:
                return tr("Method");
            case PlanRatio:
                return tr("Ratio");
            case PlanSize:
                return tr("Rank or channels");
            case MacsSaved:
                return tr("MACs saved");
            case LocalSqnr:
                return tr("Local SQNR (dB)");
            case AccumulatedSqnr:
                return tr("Accumulated SQNR (dB)");
            case Bits:
                return tr("Precision");
        }
    }
    if (role == Qt::ToolTipRole) {
        switch (section) {
            case Position:
                return tr("Place in the order of execution");
            case Macs:
                return tr("Multiply-accumulates for one sample");
            case Activations:
                return tr("Bytes of the layer's output for one sample");
            case ImbalanceBefore:
            case ImbalanceAfter:
                return tr("Largest over median channel range; 1: all channels have the same range");
            case TypicalBitsBefore:
            case TypicalBitsAfter:
                return tr("Effective bits of the median channel with one 8-bit scale for the tensor");
            case PlanMethod:
                return tr("How the plan makes this layer smaller");
            case PlanRatio:
                return tr("Share of the layer's own MACs that the plan leaves");
            case PlanSize:
                return tr("Rank of the factorization, or input channels, that the plan keeps");
            case MacsSaved:
                return tr("Share of the whole model's MACs that the plan saves here, predicted");
            case LocalSqnr:
                return tr("SQNR of the layer's output with only this layer quantized");
            case AccumulatedSqnr:
                return tr("SQNR of the layer's output with all layers up to it quantized");
            default:
                return {};
        }
    }
    return {};
}

}  // namespace equant::ui
