/** What is said, to its author and others, where a comment is saved and the webhook does not answer. */
export const PENDING_NOTICE =
  'The newest comment is saved, but the webhook does not answer: the others will be told of it a little later.';
