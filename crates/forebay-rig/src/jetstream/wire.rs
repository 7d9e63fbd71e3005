//! Frames of the WebSocket protocol (RFC 6455), as a server writes and reads them. By hand, because the simulator writes
//! thousands of frames at once, half a frame, and none at all, which a library for honest servers has no words for.

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A client has nothing to say that is longer than an update of 10 MB; the simulator takes less.
const CLIENT_FRAME_MAX: u64 = 1 << 20;

/// Appends the head of a frame from the server, whose payload follows unmasked.
pub(super) fn push_head(out: &mut Vec<u8>, opcode: Opcode, len: usize) {
    out.push(0x80 | opcode as u8);
    match len {
        0..126 => out.push(len as u8),
        126..0x1_0000 => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// Appends a frame from the server.
pub(super) fn push_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    push_head(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FromClient {
    /// Text, binary, or a part of either.
    Data,
    Close(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// Not the protocol: the connection is of no use any more.
#[derive(Debug)]
pub(super) struct Broken;

/// Takes the first whole frame off what a client sent; none where the rest is not there yet.
pub(super) fn take_frame(bytes: &mut Vec<u8>) -> Result<Option<FromClient>, Broken> {
    let [first, second, ..] = **bytes else { return Ok(None) };
    let (mask_at, len) = match second & 0x7F {
        126 => match bytes.get(2..4) {
            Some(len) => (4, u64::from(u16::from_be_bytes([len[0], len[1]]))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|len| len.try_into().ok()) {
            Some(len) => (10, u64::from_be_bytes(len)),
            None => return Ok(None),
        },
        len => (2, u64::from(len)),
    };
    // Clients mask, always, and an extension was never agreed on.
    if second & 0x80 == 0 || first & 0x70 != 0 || len > CLIENT_FRAME_MAX {
        return Err(Broken);
    }
    let start = mask_at + 4;
    let end = start + len as usize;
    let (Some(mask), Some(payload)) = (bytes.get(mask_at..start), bytes.get(start..end)) else {
        return Ok(None);
    };
    let payload: Vec<u8> = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    bytes.drain(..end);
    match first & 0x0F {
        0..=2 => Ok(Some(FromClient::Data)),
        8 => Ok(Some(FromClient::Close(payload))),
        9 => Ok(Some(FromClient::Ping(payload))),
        10 => Ok(Some(FromClient::Pong(payload))),
        _ => Err(Broken),
    }
}
