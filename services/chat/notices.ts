/** What is said where a comment is saved and the webhook does not answer. */
export const PENDING_NOTICE = 'Saved. The webhook does not answer, so the others will be told a little later.';
