//! Segmentations drawn over their pictures.
//!
//! An output `[n, k, h, w]` (or `[n, h, w, k]`) holds a score for each class and pixel; one of a single class holds that class's
//! probability or, where a value lies outside 0…1, its logit. The scores are interpolated at each pixel of the picture, through
//! the resizing and cutting that the picture went through; the largest wins. What was cut off is drawn dark.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use salto::device::tensor::ModelLayout;
use salto::host::{Error, ErrorKind, Port, Result};
use serde::Serialize;

use crate::args::Picture;
use crate::classes::is_background;
use crate::geometry::Geometry;
use crate::picture::{self, Size};

/// How much of a class's colour its pixels take.
const TINT: f32 = 0.5;

/// What is left of the light of pixels that the network did not see.
const DARK: f32 = 0.35;

/// The picture's shorter side has so many outlines.
const OUTLINES: u32 = 300;

/// The hues of neighbouring classes are a golden section of the circle apart, so that any few of them differ.
const HUE_STEP: f32 = 0.618_034;

/// Makes class 1, the mask of networks that have but one, a pink that few photographs hold.
const FIRST_HUE: f32 = 0.31;

/// A pixel that the network did not see.
const UNSEEN: usize = usize::MAX;

/// A picture that was drawn over.
#[derive(Debug, Serialize)]
pub(crate) struct Drawn {
    pub(crate) input: String,
    pub(crate) file: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The classes that are seen, the most frequent first.
    pub(crate) classes: Vec<Share>,
}

/// How much of a picture a class takes.
#[derive(Debug, Serialize)]
pub(crate) struct Share {
    pub(crate) class: usize,
    pub(crate) label: Option<String>,
    /// Of the pixels that the network saw, from 0 to 1.
    pub(crate) share: f64,
    /// `#rrggbb`; none if the class is not drawn.
    pub(crate) colour: Option<String>,
}

/// The form of an output that is a segmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Planes or components of the output.
    pub(crate) classes: usize,
    height: usize,
    width: usize,
    channels_first: bool,
}

impl Form {
    /// The form of an output for a picture of this size; none if it is no segmentation.
    pub(crate) fn of(port: &Port, size: &Size) -> Option<Self> {
        let [_, a, b, c] = <[u32; 4]>::try_from(port.model_dims()).ok()?.map(|dim| dim as usize);
        let planes = Self { classes: a, height: b, width: c, channels_first: true };
        let pixels = Self { classes: c, height: a, width: b, channels_first: false };
        let (likely, other) = match port.layout == ModelLayout::ChannelsFirst && size.channels_first {
            true => (planes, pixels),
            false => (pixels, planes),
        };
        // A segmentation has the sides' ratio of its picture.
        let is_alike = |form: &Self| form.height * size.width as usize == form.width * size.height as usize;
        let form = if !is_alike(&likely) && is_alike(&other) { other } else { likely };
        (form.height * form.width > 1).then_some(form)
    }

    /// Elements for one picture.
    pub(crate) fn len(&self) -> usize {
        self.classes * self.height * self.width
    }

    /// The class of each pixel of the picture, row by row: of a single plane 1 or 0.
    fn classify(&self, scores: &[f32], geometry: &Geometry) -> Vec<usize> {
        // Of a probability a half divides, of a logit 0.
        let is_probability = scores.iter().all(|score| (0.0..=1.0).contains(score));
        let threshold = if is_probability { 0.5 } else { 0.0 };
        let class = |x: u32, y: u32| {
            let Some((u, v)) = geometry.in_input(x, y) else { return UNSEEN };
            let taps = self.taps(u, v);
            let score = |class: usize| {
                let start = if self.channels_first { class * self.height * self.width } else { class };
                taps.iter().map(|(place, weight)| scores[start + place] * weight).sum::<f32>()
            };
            if self.classes == 1 {
                return usize::from(score(0) > threshold);
            }
            let first = (0, score(0));
            let larger = |best: (usize, f32), class| {
                let score = score(class);
                if score > best.1 { (class, score) } else { best }
            };
            (1..self.classes).fold(first, larger).0
        };
        let (width, height) = geometry.picture;
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| class(x, y)).collect()
    }

    /// The four elements around a point and their weights; `u` and `v` go from 0 to 1.
    fn taps(&self, u: f32, v: f32) -> [(usize, f32); 4] {
        let axis = |at: f32, len: usize| {
            let at = (at * len as f32 - 0.5).clamp(0.0, (len - 1) as f32);
            let low = at as usize;
            (low, (low + 1).min(len - 1), at - low as f32)
        };
        let (x0, x1, right) = axis(u, self.width);
        let (y0, y1, down) = axis(v, self.height);
        let pixel = if self.channels_first { 1 } else { self.classes };
        let place = |x: usize, y: usize| (y * self.width + x) * pixel;
        [
            (place(x0, y0), (1.0 - right) * (1.0 - down)),
            (place(x1, y0), right * (1.0 - down)),
            (place(x0, y1), (1.0 - right) * down),
            (place(x1, y1), right * down),
        ]
    }
}

/// Draws the scores of one picture over it: the content of a `.png` file, and what is to be said about it.
pub(crate) fn draw(
    path: &Path,
    options: &Picture,
    size: &Size,
    form: &Form,
    scores: &[f32],
    labels: Option<&[String]>,
) -> Result<(Vec<u8>, Drawn)> {
    let picture = picture::decode(path)?;
    let geometry = Geometry::new((picture.width(), picture.height()), options, size)?;
    let map = form.classify(scores, &geometry);
    // A single plane has a class beside it: what it does not show.
    let count = form.classes.max(2);
    let colours: Vec<Option<Rgb<u8>>> =
        (0..count).map(|class| (!is_plain(class, labels)).then(|| colour(class))).collect();
    let drawn = paint(&picture, &map, &colours);
    let mut png = Cursor::new(Vec::new());
    drawn.write_to(&mut png, ImageFormat::Png).map_err(|error| {
        Error::new(ErrorKind::Limit, format!("the overlay cannot be written as png: {error}"))
    })?;
    let classes = shares(&map, &colours, labels);
    let (width, height) = geometry.picture;
    let input = path.display().to_string();
    Ok((png.into_inner(), Drawn { input, file: String::new(), width, height, classes }))
}

/// Is a class not drawn: the background, by its name, or class 0 if there are no names?
fn is_plain(class: usize, labels: Option<&[String]>) -> bool {
    match labels {
        Some(labels) => labels.get(class).is_some_and(|label| is_background(label)),
        None => class == 0,
    }
}

fn shares(map: &[usize], colours: &[Option<Rgb<u8>>], labels: Option<&[String]>) -> Vec<Share> {
    let mut counts = vec![0usize; colours.len()];
    map.iter().filter(|class| **class != UNSEEN).for_each(|class| counts[*class] += 1);
    let seen = counts.iter().sum::<usize>().max(1);
    let share = |(class, count): (usize, &usize)| Share {
        class,
        label: labels.and_then(|labels| labels.get(class).cloned()),
        share: *count as f64 / seen as f64,
        colour: colours[class].map(|Rgb([r, g, b])| format!("#{r:02x}{g:02x}{b:02x}")),
    };
    let present = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut shares: Vec<Share> = present.map(share).collect();
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    shares
}

/// Tints each class and draws its outline.
fn paint(picture: &DynamicImage, map: &[usize], colours: &[Option<Rgb<u8>>]) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let line = (width.min(height) / OUTLINES).max(1);
    let class = |x: u32, y: u32| map[y as usize * width as usize + x as usize];
    let is_outline = |x: u32, y: u32, own: usize| {
        let (left, up) = (x.saturating_sub(line), y.saturating_sub(line));
        let (right, down) = ((x + line).min(width - 1), (y + line).min(height - 1));
        [(left, y), (right, y), (x, up), (x, down)].iter().any(|(x, y)| class(*x, *y) != own)
    };
    let mut drawn = picture::over_white(picture);
    for (x, y, pixel) in drawn.enumerate_pixels_mut() {
        let own = class(x, y);
        let Some(colour) = colours.get(own) else {
            pixel.0 = pixel.0.map(|value| (f32::from(value) * DARK) as u8);
            continue;
        };
        if let Some(colour) = colour {
            let part = if is_outline(x, y, own) { 1.0 } else { TINT };
            let mixed = |(own, tint): (u8, u8)| {
                (f32::from(own) * (1.0 - part) + f32::from(tint) * part).round() as u8
            };
            let [r, g, b] = pixel.0;
            let Rgb([tint_r, tint_g, tint_b]) = *colour;
            pixel.0 = [(r, tint_r), (g, tint_g), (b, tint_b)].map(mixed);
        }
    }
    drawn
}

/// The colour of a class: the same whatever the network.
fn colour(class: usize) -> Rgb<u8> {
    let hue = (class as f32 * HUE_STEP + FIRST_HUE).fract();
    // Every fifth class is darker, every third paler: a second and third way to differ.
    let value = if class % 5 == 4 { 0.7 } else { 1.0 };
    let saturation = if class % 3 == 2 { 0.6 } else { 0.9 };
    let component = |shift: f32| {
        // The usual formula from hue, saturation and value, for red (5), green (3) and blue (1).
        let k = (shift + 6.0 * hue) % 6.0;
        let part = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (part * 255.0).round() as u8
    };
    Rgb([component(5.0), component(3.0), component(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { channels: 3, height: 4, width: 8, channels_first: true };

    fn form(classes: usize, channels_first: bool) -> Form {
        Form { classes, height: 2, width: 4, channels_first }
    }

    #[test]
    fn a_mask_goes_back_to_the_pictures_size() {
        let stretched = Geometry::new((16, 8), &Picture::default(), &SIZE).expect("it fits");
        let left = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        let map = form(1, true).classify(&left, &stretched);
        assert!(map.chunks_exact(16).all(|row| row[..8] == [1; 8] && row[8..] == [0; 8]), "{map:?}");
        let logits = left.map(|x| 8.0 * x - 4.0);
        assert_eq!(form(1, true).classify(&logits, &stretched), map);
        let cropped =
            Geometry::new((16, 8), &Picture { crop: true, ..Picture::default() }, &SIZE).expect("it fits");
        let map = form(1, true).classify(&left, &cropped);
        assert!(map.iter().filter(|class| **class == UNSEEN).count() == 16 * 8 - 8 * 4, "{map:?}");
        assert_eq!(map[16 * 2 + 4..16 * 2 + 12], [1, 1, 1, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn the_largest_score_wins_in_either_order() {
        let geometry = Geometry::new((8, 4), &Picture::default(), &SIZE).expect("it fits");
        let planes: Vec<f32> = [[0.0; 8], [5.0, 5.0, -5.0, -5.0, 5.0, 5.0, -5.0, -5.0], [1.0; 8]].concat();
        let pixels: Vec<f32> = (0..8).flat_map(|i| [planes[i], planes[8 + i], planes[16 + i]]).collect();
        let map = form(3, true).classify(&planes, &geometry);
        assert_eq!(map, form(3, false).classify(&pixels, &geometry));
        assert_eq!(map[..8], [1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn colours_differ() {
        let colours: Vec<Rgb<u8>> = (0..21).map(colour).collect();
        let distance = |a: Rgb<u8>, b: Rgb<u8>| -> i32 {
            a.0.iter().zip(&b.0).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).sum()
        };
        for (i, a) in colours.iter().enumerate() {
            assert!(colours[..i].iter().all(|b| distance(*a, *b) > 40), "{i}: {a:?}");
            let near = &colours[i.saturating_sub(4)..i];
            assert!(near.iter().all(|b| distance(*a, *b) > 100), "{i}: {a:?}");
        }
    }
}
