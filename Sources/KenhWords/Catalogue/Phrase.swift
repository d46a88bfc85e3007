/// A key of the catalogue. The texts of a phrase are in ``Phrase/text``, and a test asks for every one.
public enum Phrase: String, Sendable, CaseIterable {
    // Things of the programme.
    case unit, subPlan, target, workItem, review, progressEntry, transition, title, due, accountable, period, state
    case committee, inspection, cell, department

    // States of a work item.
    case statePlanned, stateDoing, stateWaiting, stateDone, stateVerified, stateReturned, stateCancelled, stateReopened

    // States of a review.
    case reviewOpen, reviewDrafted, reviewHeld, reviewSubmitted, reviewAccepted, reviewReturned, reviewLocked

    // How a review came in.
    case onTime, late, missing, pending

    // Roll-up methods.
    case methodSum, methodWeightedAverage, methodRatio, methodLatest, methodMilestone, methodMinimum

    // The overview.
    case overviewTitle, reviewsTitle, illustrative, items, donePercent, entries, contested, total, nothingYet
    case contestedItem
}
