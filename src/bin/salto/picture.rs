//! Pictures as inputs.

use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageReader};
use salto::host::{Error, ErrorKind, Result};

use crate::args::Picture;
use crate::array::Array;
use crate::files;

/// The extensions of pictures.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// The most pixels that a picture may be resized to.
const MAX_PIXELS: u64 = 1 << 28;

/// Is the file a picture, by its name?
pub(crate) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Reads a picture as an input of `channels` planes (`channels_first`) or pixels of `height` × `width`, batch 1.
pub(crate) fn read(path: &Path, options: &Picture, size: &Size) -> Result<Array> {
    let picture = decode(path)?;
    let picture = fit(picture, options, size).map_err(|error| error.in_file(path.display()))?;
    let pixels = pixels(&picture, size.channels).map_err(|error| error.in_file(path.display()))?;
    let pixels = normalized(pixels, options, size.channels)?;
    Ok(size.array(pixels))
}

/// The size of a picture-like input, and the order of its channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) channels: usize,
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) channels_first: bool,
}

impl Size {
    fn array(&self, pixels: Vec<f32>) -> Array {
        let (height, width) = (self.height as usize, self.width as usize);
        if !self.channels_first {
            return Array { shape: vec![1, height, width, self.channels], data: pixels };
        }
        let plane = |channel: usize| pixels.iter().skip(channel).step_by(self.channels).copied();
        let data = (0..self.channels).flat_map(plane).collect();
        Array { shape: vec![1, self.channels, height, width], data }
    }
}

/// Decodes a file and turns it upright.
fn decode(path: &Path) -> Result<DynamicImage> {
    let bytes = files::read(path)?;
    upright(&bytes).map_err(|error| {
        Error::new(ErrorKind::Format, format!("no picture: {error}"))
            .in_file(path.display())
            .remedy("pictures are png, jpeg or bmp")
    })
}

fn upright(bytes: &[u8]) -> image::ImageResult<DynamicImage> {
    let reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?;
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Resizes and crops to the input's size.
fn fit(picture: DynamicImage, options: &Picture, size: &Size) -> Result<DynamicImage> {
    let picture = match options.resize {
        Some(shorter) => {
            let (width, height) = resized(picture.width(), picture.height(), shorter)?;
            picture.resize_exact(width, height, FilterType::Triangle)
        }
        None => picture,
    };
    let (width, height) = (picture.width(), picture.height());
    if (width, height) == (size.width, size.height) {
        return Ok(picture);
    }
    if options.crop {
        if width < size.width || height < size.height {
            let reason =
                format!("{width}×{height} pixels are too few to cut {}×{} out", size.width, size.height);
            return Err(Error::new(ErrorKind::Argument, reason).remedy("use --resize with a larger number"));
        }
        let (x, y) = ((width - size.width) / 2, (height - size.height) / 2);
        return Ok(picture.crop_imm(x, y, size.width, size.height));
    }
    if options.resize.is_some() {
        let reason =
            format!("{width}×{height} pixels after --resize, the input has {}×{}", size.width, size.height);
        return Err(Error::new(ErrorKind::Argument, reason).remedy("add --crop"));
    }
    Ok(picture.resize_exact(size.width, size.height, FilterType::Triangle))
}

/// Width and height when the shorter one becomes `shorter` and their ratio stays.
fn resized(width: u32, height: u32, shorter: u32) -> Result<(u32, u32)> {
    let least = width.min(height).max(1);
    let side = |side: u32| (u64::from(side) * u64::from(shorter) + u64::from(least) / 2) / u64::from(least);
    match (u32::try_from(side(width)), u32::try_from(side(height))) {
        (Ok(width), Ok(height)) if u64::from(width) * u64::from(height) <= MAX_PIXELS => Ok((width, height)),
        _ => {
            let reason = format!("resized to {}×{} pixels it is too large", side(width), side(height));
            Err(Error::new(ErrorKind::Limit, reason).remedy("use --resize with a smaller number"))
        }
    }
}

/// Values from 0 to 255, pixel by pixel, with as many channels as asked for. Transparency is blended over white.
fn pixels(picture: &DynamicImage, channels: usize) -> Result<Vec<f32>> {
    let values: Vec<f32> = match channels {
        1 => picture.to_luma_alpha32f().pixels().map(|pixel| over_white(pixel.0[0], pixel.0[1])).collect(),
        3 => {
            let over_white = |[r, g, b, a]: [f32; 4]| [r, g, b].map(|value| over_white(value, a));
            picture.to_rgba32f().pixels().flat_map(|pixel| over_white(pixel.0)).collect()
        }
        4 => picture.to_rgba32f().into_raw(),
        _ => {
            let reason = format!("the input has {channels} channels, a picture 1, 3 or 4");
            return Err(Error::new(ErrorKind::Argument, reason).remedy("pass an .npy array"));
        }
    };
    Ok(values.into_iter().map(|value| value * 255.0).collect())
}

fn over_white(value: f32, alpha: f32) -> f32 {
    value * alpha + (1.0 - alpha)
}

/// `(value · scale − mean) / std` of each channel.
fn normalized(pixels: Vec<f32>, options: &Picture, channels: usize) -> Result<Vec<f32>> {
    let mean = for_channels("--mean", &options.mean, channels)?;
    let std = for_channels("--std", &options.std, channels)?;
    let scale = options.scale.unwrap_or(1.0 / 255.0);
    let channel = (0..channels).cycle();
    Ok(pixels.into_iter().zip(channel).map(|(value, c)| (value * scale - mean(c)) / std(c)).collect())
}

/// One number for all channels, or one for each.
fn for_channels<'a>(
    flag: &str,
    numbers: &'a [f32],
    channels: usize,
) -> Result<impl Fn(usize) -> f32 + use<'a>> {
    if numbers.len() != 1 && numbers.len() != channels {
        let reason = format!("{flag} has {} numbers, the input {channels} channels", numbers.len());
        return Err(
            Error::new(ErrorKind::Argument, reason).remedy("give one number, or one for each channel")
        );
    }
    Ok(move |channel: usize| numbers[channel % numbers.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    const PLAIN: Picture =
        Picture { scale: Some(1.0), mean: Vec::new(), std: Vec::new(), resize: None, crop: false };

    fn options(mean: &[f32], std: &[f32]) -> Picture {
        Picture { mean: mean.into(), std: std.into(), ..PLAIN }
    }

    #[test]
    fn transparency_is_white_and_channels_become_planes() {
        let mut picture = RgbaImage::new(2, 1);
        picture.put_pixel(0, 0, Rgba([255, 0, 0, 255]));
        picture.put_pixel(1, 0, Rgba([0, 0, 0, 0]));
        let pixels = pixels(&picture.into(), 3).expect("three channels");
        assert_eq!(pixels, [255.0, 0.0, 0.0, 255.0, 255.0, 255.0]);
        let size = Size { channels: 3, height: 1, width: 2, channels_first: true };
        let array = size.array(pixels);
        assert_eq!((array.shape, array.data), (vec![1, 3, 1, 2], vec![255.0, 255.0, 0.0, 255.0, 0.0, 255.0]));
    }

    #[test]
    fn mean_and_std_are_one_number_or_one_for_each_channel() {
        let pixels = || vec![1.0, 2.0, 3.0, 4.0];
        let each = normalized(pixels(), &options(&[1.0, 2.0], &[2.0]), 2).expect("two means, one std");
        assert_eq!(each, [0.0, 0.0, 1.0, 1.0]);
        assert!(normalized(pixels(), &options(&[1.0, 2.0, 3.0], &[1.0]), 2).is_err());
    }

    /// A JPEG whose EXIF says that the camera was turned (orientation 6: the first row is the right side).
    #[test]
    fn a_camera_that_was_turned_is_turned_back() {
        let mut jpeg = std::io::Cursor::new(Vec::new());
        let flat = DynamicImage::new_rgb8(16, 8);
        flat.write_to(&mut jpeg, image::ImageFormat::Jpeg).expect("encoded");
        let mut jpeg = jpeg.into_inner();
        assert_eq!(upright(&jpeg).map(|picture| picture.width()).ok(), Some(16));
        let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0];
        let tiff = [b"MM\0\x2a\0\0\0\x08\0\x01".as_slice(), &entry, &[0; 4]].concat();
        let segment = [b"\xff\xe1\0\x22Exif\0\0".as_slice(), &tiff].concat();
        jpeg.splice(2..2, segment);
        assert_eq!(upright(&jpeg).map(|picture| picture.width()).ok(), Some(8));
    }

    #[test]
    fn resizing_keeps_the_ratio_and_has_a_limit() {
        assert_eq!(resized(640, 480, 240), Ok((320, 240)));
        assert_eq!(resized(3, 7, 6), Ok((6, 14)));
        assert!(resized(1, 1_000_000, 5000).is_err());
    }

    #[test]
    fn a_picture_of_another_size_is_stretched_or_cropped() {
        let size = Size { channels: 1, height: 2, width: 4, channels_first: true };
        let picture = || DynamicImage::new_luma8(8, 8);
        let shape = |picture: DynamicImage| (picture.height(), picture.width());
        let plain = options(&[0.0], &[1.0]);
        assert_eq!(fit(picture(), &plain, &size).map(shape), Ok((2, 4)));
        assert_eq!(
            fit(picture(), &Picture { crop: true, ..options(&[0.0], &[1.0]) }, &size).map(shape),
            Ok((2, 4))
        );
        assert!(fit(picture(), &Picture { resize: Some(4), ..options(&[0.0], &[1.0]) }, &size).is_err());
        let both = Picture { resize: Some(4), crop: true, ..plain };
        assert_eq!(fit(picture(), &both, &size).map(shape), Ok((2, 4)));
    }
}
