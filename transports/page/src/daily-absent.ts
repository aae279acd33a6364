/**
 * Stands in for `@daily-co/daily-js` in the bundle.
 *
 * The transport's package imports it for its default media manager, which loads code from another host.
 * The page brings a media manager of its own (microphone.ts), so that nothing of it is ever called.
 */
export default {
  getCallInstance(): never {
    throw new Error("Daily is not part of this page");
  },
};
