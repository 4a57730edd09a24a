//! Networks.

use serde_json::{Value as Json, json};

use crate::config::{
    code::Code,
    network::Network,
    read::{Kind, Reader},
    syntax::Node,
};

/// A network: `10.20.0.0/16`, or an address alone.
pub(crate) struct Net;

impl Kind for Net {
    type Value = Network;

    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Network> {
        let text = reader.text(node, "a network such as \"10.20.0.0/16\"")?;
        let network = Network::parse(text);
        if network.is_none() {
            reader
                .fault(Code::Address, node, "must be a network: an IP address and the number of its first bits")
                .label("for instance \"10.20.0.0/16\" or \"fd12:3456::/32\", all bits behind it 0");
        }
        network
    }

    fn schema() -> Json {
        json!({ "title": "network", "type": "string", "pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$" })
    }

    fn show(value: &Network) -> Json {
        json!(value.to_string())
    }
}
