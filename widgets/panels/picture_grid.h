// SPDX-License-Identifier: GPL-3.0-or-later
// Samples as they are beside what the model sees of them, so that wrong preprocessing is seen at a glance.
#pragma once

#include <QImage>
#include <QWidget>
#include <vector>

#include "core/data/preprocess.h"

namespace equant::ui {

struct PicturePair {
    QString caption;
    QImage original;
    QImage seen;
};

[[nodiscard]] QImage toQImage(const Image& image);

class PictureGrid : public QWidget {
    Q_OBJECT

public:
    explicit PictureGrid(QWidget* parent = nullptr);
    void setPictures(std::vector<PicturePair> pictures);
    QSize sizeHint() const override;
    int heightForWidth(int width) const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    int columns(int width) const;
    std::vector<PicturePair> m_pictures;
};

}  // namespace equant::ui
