/// Which fields a mapping may have.
indirect enum FieldShape {
    /// Anything.
    case any
    /// These fields and no others.
    case fields([String: FieldShape])

    /// Throws at the first field that is not known, with the nearest that is.
    func check(_ value: DocumentValue) throws(KubernetesError) {
        guard case .fields(let known) = self, !value.isNull else { return }
        for field in try value.fields() {
            guard let shape = known[field.name] else {
                let nearest = NearestName.of(field.name, among: known.keys)
                throw field.key.failure("unknown field" + (nearest.map { "; did you mean \($0)?" } ?? ""))
            }
            try shape.check(field.value)
        }
    }
}
