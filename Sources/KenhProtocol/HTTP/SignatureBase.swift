import RawStructuredFieldValues

/// The bytes that a signature over HTTP covers (RFC 9421 §2.5): a line for each component, then the parameters.
package struct SignatureBase: Sendable {
    package let components: [SignatureComponent]
    package let parameters: [SignatureParameter]

    package init(components: [SignatureComponent], parameters: [SignatureParameter]) {
        self.components = components
        self.parameters = parameters
    }

    /// The value of `@signature-params`, which is also the member of `Signature-Input`.
    package func parameterText() throws(ProtocolError) -> String {
        var values = OrderedMap<String, RFC9651BareItem>()
        for parameter in parameters { values[parameter.name] = parameter.item }
        var names = BareInnerList()
        for component in components { names.append(Self.identifier(of: component)) }
        return try Self.text { serializer in
            try serializer.writeListFieldValue([.innerList(InnerList(bareInnerList: names, parameters: values))])
        }
    }

    package func bytes() throws(ProtocolError) -> [UInt8] {
        var base = ""
        for component in components {
            let identifier = try Self.text { try $0.writeItemFieldValue(Self.identifier(of: component)) }
            base += try component.line(identifier: identifier) + "\n"
        }
        base += "\"@signature-params\": " + (try parameterText())
        return Array(base.utf8)
    }

    static func identifier(of component: SignatureComponent) -> Item {
        var parameters = OrderedMap<String, RFC9651BareItem>()
        if component.isOfRequest { parameters["req"] = .bool(true) }
        return Item(bareItem: .string(component.name), parameters: parameters)
    }

    private static func text(
        _ write: (inout StructuredFieldValueSerializer) throws -> [UInt8]
    ) throws(ProtocolError) -> String {
        do {
            var serializer = StructuredFieldValueSerializer()
            return String(decoding: try write(&serializer), as: UTF8.self)
        } catch {
            throw ProtocolError(.malformed, "the signature's parameters cannot be written: \(error)")
        }
    }
}
