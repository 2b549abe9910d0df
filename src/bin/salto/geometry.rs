//! How a picture comes to an input's size: resized, then cut out. Called for pictures and for what is drawn over them.

use salto::host::{Error, ErrorKind, Result};

use crate::args::Picture;
use crate::picture::Size;

/// The most pixels that a picture may be resized to.
const MAX_PIXELS: u64 = 1 << 28;

/// From a picture to an input. All sizes are width and height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The picture, upright.
    pub(crate) picture: (u32, u32),
    /// What it is resized to.
    pub(crate) resized: (u32, u32),
    /// Where the input's upper left corner lies in that.
    pub(crate) corner: (u32, u32),
    /// The input.
    pub(crate) input: (u32, u32),
}

impl Geometry {
    /// What the options say about a picture of this size.
    ///
    /// # Errors
    /// The picture does not have the input's size after them, or is too large on the way.
    pub(crate) fn new(picture: (u32, u32), options: &Picture, size: &Size) -> Result<Self> {
        let input = (size.width, size.height);
        let argument = |reason: String| Error::new(ErrorKind::Argument, reason);
        let resized = match options.resize {
            Some(shorter) => resized(picture, shorter)?,
            None if options.crop => picture,
            None => input,
        };
        let words = |(width, height): (u32, u32)| format!("{width}×{height}");
        if !options.crop && resized != input {
            let reason = format!("{} pixels after --resize, the input has {}", words(resized), words(input));
            return Err(argument(reason).remedy("add --crop"));
        }
        if resized.0 < input.0 || resized.1 < input.1 {
            let reason = format!("{} pixels are too few to cut {} out", words(resized), words(input));
            return Err(argument(reason).remedy("use --resize with a larger number"));
        }
        let corner = (centred(resized.0 - input.0), centred(resized.1 - input.1));
        Ok(Self { picture, resized, corner, input })
    }

    /// Where the centre of the picture's pixel lies in the input, from 0 to 1 along each side; none if it was cut off.
    pub(crate) fn in_input(&self, x: u32, y: u32) -> Option<(f32, f32)> {
        let along = |at: u32, picture: u32, resized: u32, corner: u32, input: u32| {
            let at = (f64::from(at) + 0.5) * f64::from(resized) / f64::from(picture) - f64::from(corner);
            let at = at / f64::from(input);
            (0.0..1.0).contains(&at).then_some(at as f32)
        };
        let x = along(x, self.picture.0, self.resized.0, self.corner.0, self.input.0)?;
        Some((x, along(y, self.picture.1, self.resized.1, self.corner.1, self.input.1)?))
    }
}

/// Half of what is cut off, rounded to even at .5 as torchvision's `CenterCrop` does.
fn centred(rest: u32) -> u32 {
    rest / 2 + u32::from(rest % 4 == 3)
}

/// Width and height when the shorter one becomes `shorter` and their ratio stays; the longer one is rounded down as
/// torchvision's `Resize` does.
pub(crate) fn resized((width, height): (u32, u32), shorter: u32) -> Result<(u32, u32)> {
    let least = width.min(height).max(1);
    let side = |side: u32| u64::from(side) * u64::from(shorter) / u64::from(least);
    match (u32::try_from(side(width)), u32::try_from(side(height))) {
        (Ok(width), Ok(height)) if u64::from(width) * u64::from(height) <= MAX_PIXELS => Ok((width, height)),
        _ => {
            let reason = format!("resized to {}×{} pixels it is too large", side(width), side(height));
            Err(Error::new(ErrorKind::Limit, reason).remedy("use --resize with a smaller number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_keeps_the_ratio_and_has_a_limit() {
        assert_eq!(resized((640, 480), 240), Ok((320, 240)));
        assert_eq!(resized((3, 7), 6), Ok((6, 14)));
        assert_eq!(resized((500, 375), 256), Ok((341, 256)), "341.33 rounded down");
        assert!(resized((1, 1_000_000), 5000).is_err());
    }

    #[test]
    fn halves_are_rounded_to_even() {
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(centred), [0, 0, 1, 2, 2, 2, 3, 4]);
    }

    #[test]
    fn a_picture_of_another_size_is_stretched_or_cropped() {
        let size = Size { channels: 1, height: 2, width: 4, channels_first: true };
        let fit = |options: Picture| Geometry::new((8, 8), &options, &size);
        let geometry = |resized, corner| Geometry { picture: (8, 8), resized, corner, input: (4, 2) };
        assert_eq!(fit(Picture::default()), Ok(geometry((4, 2), (0, 0))));
        assert_eq!(fit(Picture { crop: true, ..Picture::default() }), Ok(geometry((8, 8), (2, 3))));
        assert!(fit(Picture { resize: Some(4), ..Picture::default() }).is_err());
        let both = |resize| Picture { resize: Some(resize), crop: true, ..Picture::default() };
        assert_eq!(fit(both(4)), Ok(geometry((4, 4), (0, 1))));
        assert!(fit(both(3)).is_err());
        let cut = fit(both(4)).expect("it fits");
        assert_eq!((cut.in_input(0, 0), cut.in_input(0, 2)), (None, Some((0.0625, 0.125))));
    }
}
