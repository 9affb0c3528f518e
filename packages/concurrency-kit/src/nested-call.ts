/** Advice in the errors of nested calls: an asynchronous context cannot tell them from another caller's job that was started in it. */
export const BIND =
  'if this is a job of another caller, started here by a queue or an emitter, wrap it in AsyncResource.bind'
