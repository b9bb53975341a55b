//! Compressed forms of a body, and which of them a caller takes.

use std::io::Write;

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

/// Good for JSON: level 5 is within a few percent of 9 at a third of the time.
const BROTLI_QUALITY: i32 = 5;
/// 2^22 bytes: more than any statistic has.
const BROTLI_WINDOW: i32 = 22;
const GZIP_LEVEL: u32 = 6;

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Identity,
    Gzip,
    Brotli,
}

impl Coding {
    /// What ends the entity tags of this form.
    pub fn tag_suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "-gzip",
            Self::Brotli => "-br",
        }
    }

    /// Value of `Content-Encoding`.
    pub fn header_value(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Brotli => Some(HeaderValue::from_static("br")),
        }
    }

    /// The form the caller likes best, ours first among equals. Who takes none of them gets the plain body.
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let mut qualities = Qualities::default();
        for value in headers.get_all(ACCEPT_ENCODING) {
            value.to_str().unwrap_or_default().split(',').for_each(|range| qualities.read(range));
        }
        qualities.best()
    }

    /// The body in this form; `None` when there is none, or none that is worth it.
    pub fn encode(self, body: &[u8]) -> Option<Vec<u8>> {
        let encoded = match self {
            Self::Identity => return None,
            Self::Gzip => gzip(body),
            Self::Brotli => brotli(body),
        };
        encoded.ok().filter(|encoded| encoded.len() < body.len())
    }
}

#[derive(Default)]
struct Qualities {
    brotli: Option<f32>,
    gzip: Option<f32>,
    identity: Option<f32>,
    others: Option<f32>,
}

impl Qualities {
    fn read(&mut self, range: &str) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        if is("br") {
            self.brotli = Some(quality);
        } else if is("gzip") || is("x-gzip") {
            self.gzip = Some(quality);
        } else if is("identity") {
            self.identity = Some(quality);
        } else if name == "*" {
            self.others = Some(quality);
        }
    }

    fn best(&self) -> Coding {
        let of = |named: Option<f32>| named.or(self.others).unwrap_or(0.0);
        // What nobody mentions is acceptable, but least.
        let identity = self.identity.or(self.others).unwrap_or(0.0);
        let (brotli, gzip) = (of(self.brotli), of(self.gzip));
        if brotli > 0.0 && brotli >= gzip && brotli >= identity {
            Coding::Brotli
        } else if gzip > 0.0 && gzip >= identity {
            Coding::Gzip
        } else {
            Coding::Identity
        }
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(
        Vec::with_capacity(body.len() / 4),
        flate2::Compression::new(GZIP_LEVEL),
    );
    encoder.write_all(body)?;
    encoder.finish()
}

fn brotli(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW,
        size_hint: body.len(),
        ..Default::default()
    };
    let mut encoded = Vec::with_capacity(body.len() / 4);
    brotli::BrotliCompress(&mut &*body, &mut encoded, &params)?;
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(header: Option<&'static str>) -> Coding {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
        }
        Coding::negotiate(&headers)
    }

    #[test]
    fn quality_decides_and_brotli_goes_first_among_equals() {
        assert_eq!(best(None), Coding::Identity);
        assert_eq!(best(Some("")), Coding::Identity);
        assert_eq!(best(Some("gzip, deflate, br")), Coding::Brotli);
        assert_eq!(best(Some("br;q=0.5, gzip;q=0.8")), Coding::Gzip);
        assert_eq!(best(Some("br;q=0, gzip")), Coding::Gzip);
        assert_eq!(best(Some("*")), Coding::Brotli);
        assert_eq!(best(Some("br;q=0, *;q=0.1")), Coding::Gzip);
        assert_eq!(best(Some("identity, gzip;q=0.5")), Coding::Identity);
        assert_eq!(best(Some("deflate, zstd")), Coding::Identity);
        assert_eq!(best(Some("br;q=x")), Coding::Identity);
    }

    #[test]
    fn compressed_bodies_come_back_as_they_were() {
        let body = "tỷ lệ hồ sơ trực tuyến ".repeat(200).into_bytes();
        let mut plain = Vec::new();
        let gzip = Coding::Gzip.encode(&body).unwrap();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*gzip), &mut plain).unwrap();
        assert_eq!(plain, body);
        plain.clear();
        let brotli = Coding::Brotli.encode(&body).unwrap();
        brotli::BrotliDecompress(&mut &*brotli, &mut plain).unwrap();
        assert_eq!(plain, body);
        assert_eq!(Coding::Brotli.encode(b"x"), None, "not worth it");
    }
}
