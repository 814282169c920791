/*
name: outcomes_come_after_predictions
description: The session of an outcome lies after the session of its prediction.
*/
SELECT sequence
FROM ref('prediction_outcomes')
WHERE outcome_session <= session_date
