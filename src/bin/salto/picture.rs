//! Pictures as inputs. `docs/pictures.md` says what is done to them, and where that differs from torchvision.

use std::path::Path;

use image::error::{ParameterError, ParameterErrorKind};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageReader};
use salto::host::{Error, ErrorKind, Result};

use crate::args::Picture;
use crate::array::{self, Array};
use crate::files;
use crate::geometry::{Geometry, resized};

/// The extensions of pictures.
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// What pictures begin with: png, jpeg, bmp.
const MAGICS: [&[u8]; 3] = [b"\x89PNG", JPEG, b"BM"];

/// What a JPEG begins with.
const JPEG: &[u8] = b"\xff\xd8\xff";

/// Parts of red, green and blue in grey, as ITU-R BT.601 and with it PIL and torchvision have them.
const GREY: [f32; 3] = [0.299, 0.587, 0.114];

/// Bytes of pixels that a byte of file can hold at most: DEFLATE's limit is 1032, and a JPEG's blocks of 64 pixels take a bit or more.
const MAX_RATIO: u64 = 1100;

/// Bytes of pixels that any file may hold.
const FREE_BYTES: u64 = 1 << 16;

/// Does the file's name end as a picture's?
pub(crate) fn has_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Is the file a picture: by its name, or by its first bytes if its name says nothing?
pub(crate) fn is_picture(path: &Path) -> bool {
    let begins = |magic: &[u8]| files::begins_with(path, magic).unwrap_or(false);
    has_extension(path) || !array::has_extension(path) && MAGICS.into_iter().any(begins)
}

/// Reads a picture as an input of `channels` planes (`channels_first`) or pixels of `height` × `width`, batch 1.
pub(crate) fn read(path: &Path, options: &Picture, size: &Size) -> Result<Array> {
    let picture = decode(path)?;
    let in_file = |error: Error| error.in_file(path.display());
    let geometry = Geometry::new((picture.width(), picture.height()), options, size).map_err(in_file)?;
    let pixels = pixels(&fit(picture, &geometry), size.channels);
    Ok(size.array(normalized(pixels, options, size.channels)?))
}

/// Width and height of a picture that stands upright, after `--resize`.
pub(crate) fn size(path: &Path, options: &Picture) -> Result<(u32, u32)> {
    let picture = decode(path)?;
    let size = (picture.width(), picture.height());
    options
        .resize
        .map_or(Ok(size), |shorter| resized(size, shorter))
        .map_err(|error| error.in_file(path.display()))
}

/// The size of a picture-like input, and the order of its channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// 1 (grey), 3 (red, green, blue) or 4 (with transparency).
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
pub(crate) fn decode(path: &Path) -> Result<DynamicImage> {
    let bytes = files::read(path)?;
    if bytes.starts_with(JPEG) && !jpeg_has_end(&bytes) {
        let error = Error::new(ErrorKind::Format, "the picture is cut off: its data has no end");
        return Err(error.in_file(path.display()).remedy("copy or download it again"));
    }
    upright(&bytes).map_err(|error| {
        Error::new(ErrorKind::Format, format!("no picture: {error}"))
            .in_file(path.display())
            .remedy("pictures are png, jpeg or bmp")
    })
}

/// Does a JPEG reach its EOI marker? The decoder is lenient: it makes grey of what is missing. (ITU-T T.81, annex B; what stands
/// behind the marker is of no account.)
fn jpeg_has_end(bytes: &[u8]) -> bool {
    const FILL: u8 = 0xff;
    let mut rest = bytes;
    loop {
        // Data of a scan has a zero behind each byte that looks like a marker; restarts (RST0 to RST7) stand in it.
        let Some(at) = rest.iter().position(|byte| *byte == FILL) else { return false };
        rest = &rest[at + 1..];
        match *rest {
            [FILL, ..] => {}
            [0xd9, ..] => return true,
            // Markers without a length: a stuffed zero, TEM, the restarts, SOI.
            [0x00 | 0x01 | 0xd0..=0xd8, ..] => rest = &rest[1..],
            [_, a, b, ..] => match rest.get(1 + usize::from(u16::from_be_bytes([a, b]))..) {
                Some(behind) => rest = behind,
                None => return false,
            },
            _ => return false,
        }
    }
}

/// Decodes a file's bytes and turns the picture upright.
pub(crate) fn upright(bytes: &[u8]) -> image::ImageResult<DynamicImage> {
    let reader = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?;
    let mut decoder = reader.into_decoder()?;
    check_promise(&decoder, bytes.len() as u64)?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Refuses a picture that says it is larger than its file could hold, before memory is asked for.
fn check_promise(decoder: &impl image::ImageDecoder, file_bytes: u64) -> image::ImageResult<()> {
    if decoder.total_bytes() <= FREE_BYTES + MAX_RATIO * file_bytes {
        return Ok(());
    }
    let (width, height) = decoder.dimensions();
    let reason = format!("a file of {file_bytes} bytes cannot hold {width}×{height} pixels");
    Err(image::ImageError::Parameter(ParameterError::from_kind(ParameterErrorKind::Generic(reason))))
}

/// Resizes and crops to the input's size. The triangle filter is as wide as a pixel of the smaller picture: bilinear with
/// antialiasing.
fn fit(picture: DynamicImage, geometry: &Geometry) -> DynamicImage {
    let Geometry { resized: (width, height), corner: (x, y), input, .. } = *geometry;
    let picture = match (picture.width(), picture.height()) == (width, height) {
        true => picture,
        false => picture.resize_exact(width, height, FilterType::Triangle),
    };
    if input == (width, height) { picture } else { picture.crop_imm(x, y, input.0, input.1) }
}

/// Values from 0 to 255, pixel by pixel, of 1, 3 or 4 channels. Transparency is blended over white.
fn pixels(picture: &DynamicImage, channels: usize) -> Vec<f32> {
    let rgba = || picture.to_rgba32f();
    let values: Vec<f32> = match channels {
        1 if picture.color().has_color() => {
            let grey = |[r, g, b, a]: [f32; 4]| {
                let [r, g, b] = [r, g, b].map(|value| blended(value, a));
                GREY[0] * r + GREY[1] * g + GREY[2] * b
            };
            rgba().pixels().map(|pixel| grey(pixel.0)).collect()
        }
        1 => picture.to_luma_alpha32f().pixels().map(|pixel| blended(pixel.0[0], pixel.0[1])).collect(),
        3 => {
            let blended = |[r, g, b, a]: [f32; 4]| [r, g, b].map(|value| blended(value, a));
            rgba().pixels().flat_map(|pixel| blended(pixel.0)).collect()
        }
        _ => rgba().into_raw(),
    };
    values.into_iter().map(|value| value * 255.0).collect()
}

/// A picture of 8 bits without transparency.
pub(crate) fn over_white(picture: &DynamicImage) -> image::RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let bytes = pixels(picture, 3).into_iter().map(|value| value.round() as u8).collect();
    // As many bytes as the size says: there is always a picture of them.
    image::RgbImage::from_raw(picture.width(), picture.height(), bytes).unwrap_or_default()
}

fn blended(value: f32, alpha: f32) -> f32 {
    if alpha == 1.0 { value } else { value * alpha + (1.0 - alpha) }
}

/// `(value · scale − mean) / std` of each channel.
fn normalized(pixels: Vec<f32>, options: &Picture, channels: usize) -> Result<Vec<f32>> {
    let mean = for_channels("--mean", &options.mean, 0.0, channels)?;
    let std = for_channels("--std", &options.std, 1.0, channels)?;
    let scale = options.scale.unwrap_or(1.0 / 255.0);
    let channel = (0..channels).cycle();
    Ok(pixels.into_iter().zip(channel).map(|(value, c)| (value * scale - mean(c)) / std(c)).collect())
}

/// One number for all channels, or one for each.
fn for_channels<'a>(
    flag: &str,
    numbers: &'a [f32],
    default: f32,
    channels: usize,
) -> Result<impl Fn(usize) -> f32 + use<'a>> {
    if numbers.len() > 1 && numbers.len() != channels {
        let reason = format!("{flag} has {} numbers, the input {channels} channels", numbers.len());
        return Err(
            Error::new(ErrorKind::Argument, reason).remedy("give one number, or one for each channel")
        );
    }
    Ok(move |channel: usize| if numbers.is_empty() { default } else { numbers[channel % numbers.len()] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    fn options(mean: &[f32], std: &[f32]) -> Picture {
        Picture { scale: Some(1.0), mean: mean.into(), std: std.into(), ..Picture::default() }
    }

    #[test]
    fn transparency_is_white_and_channels_become_planes() {
        let mut picture = RgbaImage::new(2, 1);
        picture.put_pixel(0, 0, Rgba([255, 0, 0, 255]));
        picture.put_pixel(1, 0, Rgba([0, 0, 0, 0]));
        let pixels = pixels(&picture.into(), 3);
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
    fn grey_is_pils_and_whole_numbers_stay_whole() {
        let mut picture = image::RgbImage::new(256, 1);
        (0..=255u8).for_each(|x| picture.put_pixel(x.into(), 0, image::Rgb([x; 3])));
        picture.put_pixel(9, 0, image::Rgb([255, 0, 0]));
        let colours = pixels(&picture.clone().into(), 3);
        assert!((0..256).filter(|x| *x != 9).all(|x| colours[3 * x] == x as f32));
        assert!((pixels(&picture.into(), 1)[9] - 76.245).abs() < 1e-3);
    }
}
