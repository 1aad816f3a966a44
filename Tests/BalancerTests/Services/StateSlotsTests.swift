import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct StateSlotsTests {
    private func state(upper: UInt32, lower: UInt32) -> (memory: StateMemory, state: DestinationState) {
        let memory = StateMemory(destinations: 4, services: 4, provider: .heap)
        let state = memory.slots.destination(0)
        state.weight = 1
        state.setThresholds(upper: upper, lower: lower)
        return (memory, state)
    }

    /// (connections bound or ended, overloaded afterwards); upper 4, lower 2.
    @Test func overloadBeginsAtTheUpperAndEndsBelowTheLowerThreshold() {
        let (memory, state) = state(upper: 4, lower: 2)
        withExtendedLifetime(memory) {
            for (isBind, isOverloaded) in [
                (true, false), (true, false), (true, false), (true, true), (true, true), (false, true), (false, true),
                (false, true), (false, false), (true, false),
            ] {
                if isBind {
                    state.bind(isTemplate: false, isActive: false)
                } else {
                    state.unbind(isTemplate: false, isActive: false)
                }
                #expect(state.isOverloaded == isOverloaded && state.isUsable == !isOverloaded)
            }
        }
    }

    /// Without a lower threshold it ends below three quarters of the upper: total * 4 < upper * 3.
    @Test func withoutALowerThresholdOverloadEndsBelowThreeQuarters() {
        let (memory, state) = state(upper: 8, lower: 0)
        withExtendedLifetime(memory) {
            for _ in 0..<8 { state.bind(isTemplate: false, isActive: true) }
            #expect(state.isOverloaded)
            for total in [7, 6] {
                state.unbind(isTemplate: false, isActive: true)
                #expect(state.isOverloaded, "at \(total)")
            }
            state.unbind(isTemplate: false, isActive: true)
            #expect(!state.isOverloaded)
        }
    }

    @Test func activeAndInactiveCountTogetherAndTemplatesDoNot() {
        let (memory, state) = state(upper: 2, lower: 0)
        withExtendedLifetime(memory) {
            for _ in 0..<5 { state.bind(isTemplate: true, isActive: false) }
            #expect(!state.isOverloaded && state.persistent == 5)
            state.bind(isTemplate: false, isActive: true)
            state.bind(isTemplate: false, isActive: false)
            #expect(state.isOverloaded && state.references == 7)
            state.move(toActive: true)
            #expect(state.active == 2 && state.inactive == 0)
        }
    }

    /// A higher upper threshold, or none, ends the overload (`__ip_vs_update_dest`); one that is reached begins it
    /// (recording `thresholds`).
    @Test func newThresholdsCountAtOnce() {
        let (memory, state) = state(upper: 2, lower: 0)
        withExtendedLifetime(memory) {
            for _ in 0..<2 { state.bind(isTemplate: false, isActive: true) }
            state.setThresholds(upper: 2, lower: 1)
            #expect(state.isOverloaded)
            state.setThresholds(upper: 3, lower: 1)
            #expect(!state.isOverloaded)
            state.setThresholds(upper: 1, lower: 0)
            #expect(state.isOverloaded)
            state.setThresholds(upper: 0, lower: 0)
            #expect(!state.isOverloaded)
        }
    }

    @Test func aQuiescedDestinationIsNotUsable() {
        let (memory, state) = state(upper: 0, lower: 0)
        withExtendedLifetime(memory) {
            #expect(state.isUsable)
            state.weight = 0
            #expect(!state.isUsable)
        }
    }

    @Test func slotsAreGivenBackAsNew() throws {
        let memory = StateMemory(destinations: 2, services: 1, provider: .heap)
        let first = try #require(memory.takeDestination())
        let second = try #require(memory.takeDestination())
        #expect(memory.takeDestination() == nil && first != second)
        memory.slots.destination(first).setThresholds(upper: 1, lower: 0)
        memory.slots.destination(first).bind(isTemplate: false, isActive: true)
        memory.slots.destination(first).set(.available)
        memory.giveBack(destination: first)
        #expect(memory.takeDestination() == first)
        let state = memory.slots.destination(first)
        #expect(state.active == 0 && state.references == 0 && !state.isOverloaded && !state.isAvailable)
        let service = try #require(memory.takeService())
        #expect(memory.takeService() == nil)
        memory.slots.service(service).cursor = 7
        #expect(
            memory.slots.service(service).exchangeCursor(7, 8) && !memory.slots.service(service).exchangeCursor(7, 9))
        memory.slots.service(service).second = 3
        memory.giveBack(service: service)
        #expect(memory.takeService() == service)
        #expect(memory.slots.service(service).cursor == 0 && memory.slots.service(service).second == 0)
    }

    @Test func countsOfManyThreadsAddUp() {
        let memory = StateMemory(destinations: 1, services: 1, provider: .heap)
        Threads.run(4) { number in
            let state = memory.slots.destination(0)
            for step in 0..<5000 {
                state.bind(isTemplate: false, isActive: step % 2 == 0)
                state.move(toActive: step % 2 != 0)
                state.unbind(isTemplate: false, isActive: step % 2 != 0)
            }
            state.bind(isTemplate: false, isActive: number % 2 == 0)
        }
        let state = memory.slots.destination(0)
        #expect(state.active == 2 && state.inactive == 2 && state.references == 4)
    }
}
